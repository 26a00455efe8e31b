using System.Reflection;
using Flurrty.ServiceDefaults.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql;

namespace Flurrty.Migrations;

/// <summary>A database and the migrations that lead to its present form.</summary>
internal sealed record Schema(string Database, IReadOnlyList<string> Migrations, Func<NpgsqlDataSource, DbContext> Open)
{
    public static Schema Of<TContext>(string database, Func<DbContextOptions<TContext>, TContext> create)
        where TContext : DbContext => new(
            database,
            [.. IdsOf(typeof(TContext))],
            source => create(new DbContextOptionsBuilder<TContext>().UseNpgsql(source).UseTenantNames().Options));

    /// <summary>Says why no migration leads from a history to the present form, or null.</summary>
    public string? Refuse(IReadOnlyCollection<string> applied)
    {
        var unknown = applied.Except(Migrations, StringComparer.Ordinal).ToArray();
        var missing = Migrations.Except(applied, StringComparer.Ordinal).ToArray();

        // With nothing missing it is the schema of a later version, which keeps those before it working.
        return unknown.Length == 0 || missing.Length == 0
            ? null
            : $"has the migration {string.Join(", ", unknown)}, which this version does not know, and lacks {string.Join(", ", missing)}";
    }

    // Read from the attributes: building the model just to find that there is nothing to do would take most of the start.
    private static IEnumerable<string> IdsOf(Type context) => context.Assembly.GetTypes()
        .Where(type => type.GetCustomAttribute<DbContextAttribute>()?.ContextType == context)
        .Select(type => type.GetCustomAttribute<MigrationAttribute>()?.Id)
        .OfType<string>()
        .Order(StringComparer.Ordinal);
}
