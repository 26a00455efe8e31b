using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Orchestration;

/// <summary>Writes the resources' logs to the AppHost's log, one category each, where that is wanted.</summary>
internal sealed partial class ResourceLogForwarder(
    DistributedApplicationOptions options,
    ResourceNotificationService notifications,
    ResourceLoggerService resourceLoggers,
    IHostEnvironment environment,
    ILoggerFactory loggers) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!options.EnableResourceLogging)
        {
            return;
        }

        HashSet<string> known = new(StringComparer.OrdinalIgnoreCase);
        List<Task> forwarding = [];
        try
        {
            await foreach (var change in notifications.WatchAsync(stoppingToken))
            {
                if (!change.Snapshot.IsHidden && known.Add(change.ResourceId))
                {
                    forwarding.Add(ForwardAsync(change.Resource.Name, change.ResourceId, stoppingToken));
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            await Task.WhenAll(forwarding).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ForwardAsync(string name, string id, CancellationToken cancellationToken)
    {
        var logger = loggers.CreateLogger($"{environment.ApplicationName}.Resources.{name}");
        await foreach (var batch in resourceLoggers.WatchAsync(id).WithCancellation(cancellationToken))
        {
            foreach (var line in batch)
            {
                var space = line.Content.IndexOf(' ', StringComparison.Ordinal);
                var text = space > 0 ? line.Content[(space + 1)..] : line.Content;
                if (line.IsErrorMessage)
                {
                    Log.Error(logger, line.LineNumber, text);
                }
                else
                {
                    Log.Line(logger, line.LineNumber, text);
                }
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "{LineNumber}: {Text}")]
        internal static partial void Line(ILogger logger, int lineNumber, string text);

        [LoggerMessage(2, LogLevel.Error, "{LineNumber}: {Text}")]
        internal static partial void Error(ILogger logger, int lineNumber, string text);
    }
}
