using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Hosting;
using Npgsql;

namespace Flurrty.TrainingService.Driving;

/// <summary>Counts the jobs that wait for somebody, for the gauge that an alarm watches.</summary>
internal sealed class WaitingCount(
    [FromKeyedServices(Dispatcher.Key)] NpgsqlDataSource dispatcher,
    TrainingMetrics metrics,
    TimeProvider time,
    ILogger<WaitingCount> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => BackgroundLoop.RunAsync(
        "count of waiting jobs",
        async token =>
        {
            metrics.NoteWaiting(await CountAsync(token));
            await Task.Delay(Interval, time, token);
        },
        time,
        logger,
        stoppingToken);

    private async Task<Dictionary<string, long>> CountAsync(CancellationToken cancellationToken)
    {
        var counted = new Dictionary<string, long>(StringComparer.Ordinal);
        await using var command = dispatcher.CreateCommand("SELECT reason, jobs FROM count_waiting_jobs()");
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            counted[reader.GetString(0)] = reader.GetInt64(1);
        }

        return counted;
    }
}
