using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Hosting;
using Npgsql;

namespace Flurrty.TrainingService.Webhooks;

/// <summary>Forgets webhooks that came long ago. A repeated one would be refused by its timestamp before it is looked up.</summary>
internal sealed class WebhookEventPruning(
    [FromKeyedServices(Dispatcher.Key)] NpgsqlDataSource dispatcher, TimeProvider time, ILogger<WebhookEventPruning> logger) : BackgroundService
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(7);
    private static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => BackgroundLoop.RunAsync(
        "pruning of webhook events",
        async token =>
        {
            await using (var command = dispatcher.CreateCommand("SELECT prune_webhook_events($1)"))
            {
                command.Parameters.Add(new NpgsqlParameter { Value = Lifetime });
                _ = await command.ExecuteNonQueryAsync(token);
            }

            await Task.Delay(Interval, time, token);
        },
        time,
        logger,
        stoppingToken);
}
