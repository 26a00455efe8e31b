using Flurrty.ServiceDefaults.Data;
using Npgsql;

namespace Flurrty.TrainingService.Driving;

/// <summary>Counts the jobs that wait for somebody, for the gauge that an alarm watches.</summary>
internal sealed partial class WaitingCount(
    [FromKeyedServices(Dispatcher.Key)] NpgsqlDataSource dispatcher, TrainingMetrics metrics, TimeProvider time, ILogger<WaitingCount> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                metrics.NoteWaiting(await CountAsync(stoppingToken));
            }
            catch (Exception exception) when (exception is NpgsqlException or TimeoutException)
            {
                Log.CountFailed(logger, exception.Message);
            }

            await Task.Delay(Interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

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

    private static partial class Log
    {
        [LoggerMessage(EventId = 4221, Level = LogLevel.Warning, Message = "The jobs that wait could not be counted: {Reason}")]
        public static partial void CountFailed(ILogger logger, string reason);
    }
}
