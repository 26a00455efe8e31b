using Microsoft.EntityFrameworkCore;
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

    /// <summary>
    /// Registers <typeparamref name="TContext"/> as the app role (<c>ConnectionStrings:{name}</c>) and the dispatcher's data source
    /// (<c>ConnectionStrings:{name}-dispatcher</c>). The service refuses to start with a role that row-level security does not bind.
    /// </summary>
    /// <param name="builder">The host.</param>
    /// <param name="name">Name of the database, also the prefix of its roles.</param>
    public static IHostApplicationBuilder AddTenantDatabase<TContext>(this IHostApplicationBuilder builder, string name)
        where TContext : DbContext
    {
        // A repeated command may repeat its effect; callers retry whole transactions.
        builder.AddNpgsqlDbContext<TContext>(name, settings => settings.DisableRetry = true);
        builder.AddDispatcher(name);
        builder.Services.AddHostedService<RoleGuard>();
        return builder;
    }

    private static void AddDispatcher(this IHostApplicationBuilder builder, string name) =>
        builder.Services.AddKeyedSingleton(Dispatcher.Key, (_, _) =>
        {
            var connection = builder.Configuration.GetConnectionString($"{name}-dispatcher")
                ?? throw new InvalidOperationException($"ConnectionStrings:{name}-dispatcher is missing.");
            return new NpgsqlDataSourceBuilder(connection) { Name = $"{name}-dispatcher" }.ConfigureTracingOff().Build();
        });

    // The dispatcher polls: its spans would be noise without a request.
    private static NpgsqlDataSourceBuilder ConfigureTracingOff(this NpgsqlDataSourceBuilder builder) =>
        builder.ConfigureTracing(tracing => tracing.ConfigureCommandFilter(static _ => false).ConfigureBatchFilter(static _ => false).EnablePhysicalOpenTracing(enable: false));
}
