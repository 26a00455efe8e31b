using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.Health;

/// <summary>Asks the health checks of every running resource, and tells when it is ready.</summary>
internal sealed partial class ResourceHealthMonitor(
    ResourceNotificationService notifications,
    HealthCheckService checks,
    IDistributedApplicationEventing eventing,
    IServiceProvider services,
    TimeProvider time,
    ILogger<ResourceHealthMonitor> logger) : BackgroundService
{
    private static readonly TimeSpan WhileUnhealthy = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan WhileHealthy = TimeSpan.FromSeconds(5);

    /// <summary>The checks of a resource and of all that it is part of.</summary>
    internal static string[] KeysOf(IResource resource) =>
        [.. resource.WithAncestors().SelectMany(r => r.Annotations.OfType<HealthCheckAnnotation>()).Select(a => a.Key).Distinct()];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        Dictionary<IResource, Monitor> monitors = [];
        Dictionary<string, bool> running = new(StringComparer.OrdinalIgnoreCase);
        try
        {
            await foreach (var change in notifications.WatchAsync(stoppingToken))
            {
                running[change.ResourceId] = IsRunning(change.Snapshot);
                var any = change.Resource.InstanceIds().Any(id => running.GetValueOrDefault(id));
                if (!any)
                {
                    if (monitors.Remove(change.Resource, out var ended))
                    {
                        ended.Dispose();
                    }
                }
                else if (monitors.TryGetValue(change.Resource, out var known))
                {
                    // A replica that came back has no health yet: it should not have to wait for the next round.
                    if (running[change.ResourceId] && change.Snapshot.ReadyHandlers is null)
                    {
                        known.Wake();
                    }
                }
                else
                {
                    var monitor = new Monitor(stoppingToken);
                    monitors[change.Resource] = monitor;
                    _ = Task.Run(() => MonitorAsync(change.Resource, monitor), CancellationToken.None);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The application stops.
        }
    }

    private static bool IsRunning(CustomResourceSnapshot snapshot) =>
        snapshot.State?.Text is { } state && (state == KnownResourceStates.Running || state == KnownResourceStates.Active);

    private async Task MonitorAsync(IResource resource, Monitor monitor)
    {
        var keys = KeysOf(resource);
        Task? ready = null;
        try
        {
            while (true)
            {
                var report = keys.Length == 0 ? null : await AskAsync(keys, monitor.Token);
                var healthy = report is null || report.Status == HealthStatus.Healthy;
                if (healthy && ready is null)
                {
                    ready = eventing.PublishAsync(new ResourceReadyEvent(resource, services), monitor.Token);
                    await ready.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    if (ready.Exception is { } failure)
                    {
                        Log.HandlerFailed(logger, resource.Name, failure.InnerException!.Message);
                    }
                }

                var at = time.GetUtcNow().UtcDateTime;
                await notifications.PublishUpdateAsync(resource, s => monitor.Token.IsCancellationRequested || !IsRunning(s)
                    ? s
                    : s with
                    {
                        HealthReports = report is null ? s.HealthReports : [.. report.Entries.Select(e => Snapshot(e.Key, e.Value, at))],
                        ReadyHandlers = s.ReadyHandlers ?? ready,
                    });
                await monitor.WaitAsync(healthy ? WhileHealthy : WhileUnhealthy, keys.Length == 0, time);
            }
        }
        catch (OperationCanceledException) when (monitor.Token.IsCancellationRequested)
        {
            // The resource does not run any more.
        }
    }

    private async Task<HealthReport> AskAsync(string[] keys, CancellationToken cancellationToken)
    {
        try
        {
            return await checks.CheckHealthAsync(registration => keys.Contains(registration.Name), cancellationToken);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // A check that cannot even be made is a check that fails.
            return new HealthReport(
                keys.ToDictionary(k => k, _ => new HealthReportEntry(HealthStatus.Unhealthy, "The health check could not be run.", TimeSpan.Zero, e, null), StringComparer.Ordinal),
                TimeSpan.Zero);
        }
    }

    private static HealthReportSnapshot Snapshot(string key, HealthReportEntry entry, DateTime at) =>
        new(key, entry.Status, entry.Description, entry.Exception?.ToString()) { LastRunAt = at };

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Error, "A handler that runs when '{Resource}' is ready failed: {Reason}")]
        internal static partial void HandlerFailed(ILogger logger, string resource, string reason);
    }

    private sealed class Monitor(CancellationToken stopping) : IDisposable
    {
        private readonly CancellationTokenSource _ended = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        private readonly SemaphoreSlim _wake = new(0, 1);

        internal CancellationToken Token => _ended.Token;

        // The monitoring task still holds both; the garbage collector takes them after it.
        public void Dispose() => _ended.Cancel();

        internal void Wake()
        {
            try
            {
                _wake.Release();
            }
            catch (SemaphoreFullException)
            {
                // It was woken already.
            }
        }

        internal async Task WaitAsync(TimeSpan interval, bool untilWoken, TimeProvider time)
        {
            using var enough = CancellationTokenSource.CreateLinkedTokenSource(Token);
            var woken = _wake.WaitAsync(enough.Token);
            var waits = untilWoken ? woken : await Task.WhenAny(woken, Task.Delay(interval, time, enough.Token));
            await waits;
            await enough.CancelAsync();
            await woken.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
