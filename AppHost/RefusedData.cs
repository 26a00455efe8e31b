namespace Flurrty.AppHost;

internal static class RefusedDataExtensions
{
    /// <summary>Ends the AppHost with what a resource said when it refused the data that an earlier start left: no restart helps, and all others wait for it.</summary>
    public static void EndOnRefusedData(this IDistributedApplicationBuilder builder, params IReadOnlyList<IResourceBuilder<IResource>> keepers)
    {
        var names = keepers.Select(static keeper => keeper.Resource.Name).ToHashSet(StringComparer.Ordinal);
        // A hosted service would start too late: the resources' own waits for theirs, and theirs for what refused.
        builder.Eventing.Subscribe<BeforeStartEvent>((start, cancellationToken) =>
        {
            var lifetime = start.Services.GetRequiredService<IHostApplicationLifetime>();
            var refused = new RefusedData(
                start.Services.GetRequiredService<ResourceNotificationService>(), start.Services.GetRequiredService<ResourceLoggerService>(), lifetime, names);
            _ = refused.WatchAsync(lifetime.ApplicationStopping);
            return Task.CompletedTask;
        });
    }
}

internal sealed class RefusedData(
    ResourceNotificationService notifications, ResourceLoggerService logs, IHostApplicationLifetime lifetime, IReadOnlySet<string> keepers)
{
    /// <summary>EX_DATAERR of sysexits.h; the server scripts and Migrations end with it.</summary>
    public const int ExitCode = 65;

    // The output of a process that has ended may still be on its way.
    private static readonly TimeSpan OutputPatience = TimeSpan.FromSeconds(10);

    /// <summary>Watches until something refuses its data, or the application stops.</summary>
    public async Task WatchAsync(CancellationToken stoppingToken)
    {
        try
        {
            await foreach (var change in notifications.WatchAsync(stoppingToken))
            {
                if (change.Snapshot.ExitCode == ExitCode && keepers.Contains(change.Resource.Name))
                {
                    await Console.Error.WriteLineAsync(await ReadAsync(change.Resource.Name, change.ResourceId, stoppingToken));
                    Environment.ExitCode = ExitCode;
                    lifetime.StopApplication();
                    return;
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Nothing refused.
        }
    }

    private async Task<string> ReadAsync(string name, string resourceId, CancellationToken cancellationToken)
    {
        var prefix = $"{name}: ";
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(OutputPatience);
        try
        {
            await foreach (var batch in logs.WatchAsync(resourceId).WithCancellation(patience.Token))
            {
                foreach (var line in batch)
                {
                    if (line.IsErrorMessage && line.Content.IndexOf(prefix, StringComparison.Ordinal) is var at and >= 0)
                    {
                        return line.Content[(at + prefix.Length)..];
                    }
                }
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // It has said nothing more.
        }

        return $"{name} refused the data that an earlier start left; its log says why.";
    }
}
