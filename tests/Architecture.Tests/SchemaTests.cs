using Flurrty.Migrations;
using Flurrty.NativeInfrastructure;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Flurrty.Architecture.Tests;

/// <summary>Every schema, as the migrations really leave it.</summary>
public sealed class SchemaTests : IAsyncLifetime
{
    private NativePostgres _postgres = null!;

    public async Task InitializeAsync() => _postgres = await NativePostgres.StartAsync([.. Schemas.All.Select(schema => schema.Database)]);

    public async Task DisposeAsync() => await _postgres.DisposeAsync();

    [Fact]
    public async Task Migrate_EmptyDatabasesThenAgain_BindsEveryTenantTable()
    {
        Assert.True(await Migrator().MigrateAsync(Schemas.All, CancellationToken.None));
        Assert.True(await Migrator().MigrateAsync(Schemas.All, CancellationToken.None));
        foreach (var database in Schemas.All.Select(schema => schema.Database))
        {
            var tables = await TablesAsync(database);
            Assert.NotEmpty(tables);
            foreach (var table in tables)
            {
                Assert.True(table.HasAccount, $"{database}.{table.Name} says not whose its rows are.");
                Assert.True(table.IsForced, $"{database}.{table.Name} has no forced row-level security.");
                Assert.True(table.HasPolicy, $"{database}.{table.Name} has no policy that compares the account.");
                Assert.True(await IsRefusedAsync(_postgres.Dispatcher(database), $"SELECT 1 FROM {table.Name}"), $"The dispatcher may read {database}.{table.Name}.");
            }

            Assert.True(await IsRefusedAsync(_postgres.App(database), "CREATE TABLE mine (id int)"), $"The app role may make tables in {database}.");
        }
    }

    [Fact]
    public async Task Migrate_WithoutItsConnections_Fails() =>
        Assert.False(await new Migrator(new ConfigurationBuilder().Build(), Options.Create(new MigratorOptions()), TimeProvider.System, NullLogger<Migrator>.Instance)
            .MigrateAsync(Schemas.All, CancellationToken.None));

    [Fact]
    public async Task Migrate_ServerThatNeverAnswers_GivesUp()
    {
        var settings = Schemas.All.ToDictionary(
            schema => $"ConnectionStrings:{schema.Database}-owner", _ => (string?)"Host=127.0.0.1;Port=1;Username=x;Password=x", StringComparer.Ordinal);
        var migrator = new Migrator(
            new ConfigurationBuilder().AddInMemoryCollection(settings).Build(),
            Options.Create(new MigratorOptions { Patience = TimeSpan.FromMilliseconds(600) }),
            TimeProvider.System,
            NullLogger<Migrator>.Instance);
        Assert.False(await migrator.MigrateAsync(Schemas.All, CancellationToken.None));
    }

    private static async Task<bool> IsRefusedAsync(string connection, string sql)
    {
        await using var source = NpgsqlDataSource.Create(connection);
        await using var command = source.CreateCommand(sql);
        try
        {
            await command.ExecuteScalarAsync();
            return false;
        }
        catch (PostgresException refusal) when (refusal.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            return true;
        }
    }

    private async Task<IReadOnlyList<Table>> TablesAsync(string database)
    {
        await using var source = NpgsqlDataSource.Create(_postgres.Superuser(database));
        await using var command = source.CreateCommand("""
            SELECT c.relname,
                   EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'account_id' AND a.attnotnull),
                   c.relrowsecurity AND c.relforcerowsecurity,
                   EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND pg_get_expr(p.polqual, p.polrelid) LIKE '%flurrty.account_id%')
            FROM pg_class c
            WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND c.relname <> '__EFMigrationsHistory'
            ORDER BY 1
            """);
        await using var reader = await command.ExecuteReaderAsync();
        var tables = new List<Table>();
        while (await reader.ReadAsync())
        {
            tables.Add(new Table(reader.GetString(0), reader.GetBoolean(1), reader.GetBoolean(2), reader.GetBoolean(3)));
        }

        return tables;
    }

    private Migrator Migrator() => new(
        new ConfigurationBuilder().AddInMemoryCollection(Schemas.All.ToDictionary(
            schema => $"ConnectionStrings:{schema.Database}-owner", schema => (string?)_postgres.Owner(schema.Database), StringComparer.Ordinal)).Build(),
        Options.Create(new MigratorOptions()),
        TimeProvider.System,
        NullLogger<Migrator>.Instance);

    private sealed record Table(string Name, bool HasAccount, bool IsForced, bool HasPolicy);
}
