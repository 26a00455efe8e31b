using Microsoft.Extensions.Options;

namespace Flurrty.Sandbox.Replicate;

/// <summary>Removes expired files, and the data of runs that ended a while ago.</summary>
internal sealed partial class Retention(
    FileStore files, TrainingStore trainings, PredictionStore predictions, Deliveries deliveries, IOptions<SandboxOptions> options, TimeProvider time, ILogger<Retention> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    public void Sweep()
    {
        files.Sweep();
        var oldest = time.GetUtcNow() - options.Value.Replicate.Retention;
        foreach (var training in trainings.All.Where(training => !training.DataRemoved && training.CompletedAt < oldest).ToList())
        {
            Remove(training.Id);
        }

        foreach (var prediction in predictions.All.Where(prediction => !prediction.DataRemoved && prediction.CompletedAt < oldest).ToList())
        {
            predictions.Change(prediction.Id, current => current with { DataRemoved = true });
            foreach (string token in prediction.Images)
            {
                deliveries.Delete(token);
            }
        }
    }

    /// <summary>Takes input, logs and weights of a training away; its version stays.</summary>
    public Training? Remove(string id)
    {
        var removed = trainings.Change(id, current => current.IsTerminal ? current with { DataRemoved = true } : null);
        if (removed?.DeliveryToken is { } token)
        {
            deliveries.Delete(token);
        }

        return removed;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval);
        try
        {
            do
            {
                try
                {
                    Sweep();
                }
                catch (IOException error)
                {
                    LogSweep(logger, error);
                }
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException)
        {
            // The process ends.
        }
    }

    [LoggerMessage(EventId = 20, Level = LogLevel.Warning, Message = "Old data could not be removed")]
    private static partial void LogSweep(ILogger logger, Exception error);
}
