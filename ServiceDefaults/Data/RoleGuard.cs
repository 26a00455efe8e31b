using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace Flurrty.ServiceDefaults.Data;

/// <summary>Refuses to start as a superuser, with BYPASSRLS, or as the owner of a table: row-level security would not bind.</summary>
internal sealed class RoleGuard(NpgsqlDataSource app, [FromKeyedServices(Dispatcher.Key)] NpgsqlDataSource dispatcher) : IHostedLifecycleService
{
    private const string Question = """
        SELECT current_user,
               r.rolsuper,
               r.rolbypassrls,
               EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                       WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND pg_has_role(c.relowner, 'USAGE'))
        FROM pg_roles r WHERE r.rolname = current_user
        """;

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        var errors = new List<string>();
        foreach (var source in new[] { app, dispatcher })
        {
            await using var command = source.CreateCommand(Question);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            if (await reader.ReadAsync(cancellationToken)
                && (reader.GetBoolean(1) ? "is a superuser" : reader.GetBoolean(2) ? "has BYPASSRLS" : reader.GetBoolean(3) ? "owns tables" : null) is { } fault)
            {
                errors.Add($"The database role {reader.GetString(0)} {fault}.");
            }
        }

        if (errors.Count > 0)
        {
            throw new InvalidOperationException($"{string.Join(' ', errors)} Row-level security would not bind it: connect with the app and dispatcher roles.");
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
