using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace Flurrty.ServiceDefaults.Data;

/// <summary>Key of the dispatcher role's data source.</summary>
public static class Dispatcher
{
    /// <summary>Service key of the <see cref="NpgsqlDataSource"/> that may only execute claim functions.</summary>
    public const string Key = "dispatcher";
}

/// <summary>A database whose rows belong to accounts.</summary>
public static class TenantDatabase
{
    /// <summary>The setting that row-level security compares with <c>account_id</c>.</summary>
    public const string AccountSetting = "flurrty.account_id";

    private static readonly TimeSpan HealthPatience = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Registers <typeparamref name="TContext"/> as the app role (<c>ConnectionStrings:{name}</c>) and the dispatcher's data source
    /// (<c>ConnectionStrings:{name}-dispatcher</c>). The service refuses to start with a role that row-level security does not bind.
    /// </summary>
    /// <param name="builder">The host.</param>
    /// <param name="name">Name of the database, also the prefix of its roles.</param>
    public static IHostApplicationBuilder AddTenantDatabase<TContext>(this IHostApplicationBuilder builder, string name)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.AddNpgsqlDataSource(
            name,

            // The package's check has no name of its own context and no deadline.
            static settings => settings.DisableHealthChecks = true,
            source => source.Named(name).ConfigureTracing(static tracing => tracing
                .ConfigureCommandFilter(static _ => IsTraced())
                .ConfigureBatchFilter(static _ => IsTraced())
                .EnableFirstResponseEvent(enable: false)
                .EnablePhysicalOpenTracing(enable: false)));
        builder.Services.AddHealthChecks().AddNpgSql(
            static services => services.GetRequiredService<NpgsqlDataSource>(), name: typeof(TContext).Name, timeout: HealthPatience);
        builder.Services.AddDbContextPool<TContext>((services, options) =>
            options.UseNpgsql(services.GetRequiredService<NpgsqlDataSource>()).UseTenantNames());
        builder.EnrichNpgsqlDbContext<TContext>(static settings =>
        {
            // A repeated command may repeat its effect; callers retry whole transactions.
            settings.DisableRetry = true;

            // It would open a connection outside of the pool each time.
            settings.DisableHealthChecks = true;
        });
        builder.AddDispatcher(name);
        builder.Services.AddHostedService<RoleGuard>();
        return builder;
    }

    /// <summary>Names tables, columns, keys and indexes in snake case. Whoever makes a context of a tenant database calls it.</summary>
    /// <param name="options">The options of the context.</param>
    public static DbContextOptionsBuilder UseTenantNames(this DbContextOptionsBuilder options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.UseSnakeCaseNamingConvention().ReplaceService<IHistoryRepository, MigrationHistory>();
    }

    /// <inheritdoc cref="UseTenantNames(DbContextOptionsBuilder)"/>
    public static DbContextOptionsBuilder<TContext> UseTenantNames<TContext>(this DbContextOptionsBuilder<TContext> options)
        where TContext : DbContext => (DbContextOptionsBuilder<TContext>)UseTenantNames((DbContextOptionsBuilder)options);

    private static void AddDispatcher(this IHostApplicationBuilder builder, string name) => builder.AddKeyedNpgsqlDataSource(
        Dispatcher.Key,
        settings =>
        {
            settings.ConnectionString = builder.Configuration.GetConnectionString($"{name}-dispatcher")
                ?? throw new InvalidOperationException($"ConnectionStrings:{name}-dispatcher is missing.");
            settings.DisableHealthChecks = true;
        },

        // The dispatcher polls: its spans would be noise without a request.
        source => source.Named($"{name}-dispatcher").ConfigureTracing(static tracing => tracing
            .ConfigureCommandFilter(static _ => false)
            .ConfigureBatchFilter(static _ => false)
            .EnablePhysicalOpenTracing(enable: false)));

    // A command that nobody's trace asks for (health checks, polling) would be a trace of its own.
    private static bool IsTraced() => Activity.Current is { Recorded: true };

    // The name of the pool in metrics; without one it would be the whole connection string.
    private static NpgsqlDataSourceBuilder Named(this NpgsqlDataSourceBuilder source, string name)
    {
        source.Name = name;
        return source;
    }
}
