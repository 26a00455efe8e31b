using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A change of a resource.</summary>
public class ResourceEvent(IResource resource, string resourceId, CustomResourceSnapshot snapshot)
{
    /// <summary>The resource.</summary>
    public IResource Resource { get; } = resource;

    /// <summary>The id of the resource, or of one of its replicas.</summary>
    public string ResourceId { get; } = resourceId;

    /// <summary>What is known since the change.</summary>
    public CustomResourceSnapshot Snapshot { get; } = snapshot;
}

/// <summary>Knows the state of every resource and tells whoever wants to hear.</summary>
public partial class ResourceNotificationService : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, ResourceEvent> _latest = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<Channel<ResourceEvent>> _watchers = [];
    private readonly CancellationTokenSource _disposed = new();
    private readonly ILogger<ResourceNotificationService> _logger;
    private readonly IServiceProvider _services;
    private readonly ResourceLoggerService _resourceLoggers;

    /// <summary>Creates the service.</summary>
    public ResourceNotificationService(
        ILogger<ResourceNotificationService> logger,
        IHostApplicationLifetime hostApplicationLifetime,
        IServiceProvider serviceProvider,
        ResourceLoggerService resourceLoggerService)
    {
        _ = hostApplicationLifetime;
        _logger = logger;
        _services = serviceProvider;
        _resourceLoggers = resourceLoggerService;
    }

    /// <summary>Waits until the resource is in a state; <c>Running</c> if none is named.</summary>
    public Task WaitForResourceAsync(string resourceName, string? targetState = null, CancellationToken cancellationToken = default) =>
        WaitForResourceAsync(resourceName, [targetState ?? KnownResourceStates.Running], cancellationToken);

    /// <summary>Waits until the resource is in one of several states and says which.</summary>
    public async Task<string> WaitForResourceAsync(string resourceName, IEnumerable<string> targetStates, CancellationToken cancellationToken = default)
    {
        string[] states = [.. targetStates];
        var reached = await WaitCoreAsync(
            resourceName,
            e => e.Snapshot.State is { } state && states.Contains(state.Text, StringComparer.OrdinalIgnoreCase),
            $"reach one of the states [{string.Join(", ", states)}]",
            cancellationToken);
        return reached.Snapshot.State!.Text;
    }

    /// <summary>Waits until the resource satisfies a condition.</summary>
    public Task<ResourceEvent> WaitForResourceAsync(string resourceName, Func<ResourceEvent, bool> predicate, CancellationToken cancellationToken = default) =>
        WaitCoreAsync(resourceName, predicate, "satisfy the condition", cancellationToken);

    /// <summary>Waits until the resource is healthy and fails if it cannot become so.</summary>
    public Task<ResourceEvent> WaitForResourceHealthyAsync(string resourceName, CancellationToken cancellationToken = default) =>
        WaitForResourceHealthyAsync(resourceName, WaitBehavior.StopOnResourceUnavailable, cancellationToken);

    /// <summary>Waits until the resource is healthy.</summary>
    public async Task<ResourceEvent> WaitForResourceHealthyAsync(string resourceName, WaitBehavior waitBehavior, CancellationToken cancellationToken = default)
    {
        var model = _services.GetService(typeof(DistributedApplicationModel)) as DistributedApplicationModel;
        if (waitBehavior == WaitBehavior.StopOnResourceUnavailable
            && model?.Resources.Any(r => string.Equals(r.Name, resourceName, StringComparison.OrdinalIgnoreCase)) == false)
        {
            throw new DistributedApplicationException($"Stopped waiting for resource '{resourceName}' to become healthy because it does not exist in the application model.");
        }

        var reached = await WaitCoreAsync(
            resourceName,
            e => e.Snapshot.HealthStatus == HealthStatus.Healthy
                ? e.Snapshot.ReadyHandlers is not null
                : waitBehavior == WaitBehavior.StopOnResourceUnavailable && IsUnavailable(e.Snapshot),
            "become healthy",
            cancellationToken);
        if (reached.Snapshot.HealthStatus != HealthStatus.Healthy)
        {
            throw new DistributedApplicationException(
                $"Stopped waiting for resource '{resourceName}' to become healthy because it is {Describe(reached.Snapshot)}.");
        }

        await reached.Snapshot.ReadyHandlers!.WaitAsync(cancellationToken);
        return reached;
    }

    /// <summary>Waits for all that the resource waits for.</summary>
    public async Task WaitForDependenciesAsync(IResource resource, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(resource);
        WaitAnnotation[] waits = [.. resource.Annotations.OfType<WaitAnnotation>()];
        if (waits.Length == 0)
        {
            return;
        }

        var pending = waits.Select(w => w.Resource.Name).ToList();
        await PublishWaitingAsync(resource, pending);

        await Task.WhenAll(waits.Select(async wait =>
        {
            await Task.WhenAll(wait.Resource.InstanceIds().Select(id => WaitForDependencyAsync(resource, wait, id, cancellationToken)));
            string[] left;
            lock (pending)
            {
                pending.Remove(wait.Resource.Name);
                left = [.. pending];
            }

            await PublishWaitingAsync(resource, left);
        }));
    }

    /// <summary>What is known about a resource; its name is enough where it has one process.</summary>
    public bool TryGetCurrentState(string resourceId, [NotNullWhen(true)] out ResourceEvent? resourceEvent)
    {
        lock (_gate)
        {
            if (_latest.TryGetValue(resourceId, out resourceEvent))
            {
                return true;
            }

            ResourceEvent[] named = [.. _latest.Values.Where(e => string.Equals(e.Resource.Name, resourceId, StringComparison.OrdinalIgnoreCase))];
            resourceEvent = named.Length == 1 ? named[0] : null;
            return resourceEvent is not null;
        }
    }

    /// <summary>What is known about every resource, and then each change.</summary>
    public async IAsyncEnumerable<ResourceEvent> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _disposed.Token);
        using var subscription = Subscribe();
        foreach (var known in subscription.Known)
        {
            yield return known;
        }

        await foreach (var change in subscription.Changes.ReadAllAsync(either.Token))
        {
            yield return change;
        }
    }

    /// <summary>Changes what is known about a resource or one of its replicas.</summary>
    public Task PublishUpdateAsync(IResource resource, string resourceId, Func<CustomResourceSnapshot, CustomResourceSnapshot> stateFactory)
    {
        ArgumentNullException.ThrowIfNull(resource);
        ArgumentNullException.ThrowIfNull(stateFactory);
        lock (_gate)
        {
            var before = _latest.TryGetValue(resourceId, out var known) ? known.Snapshot : Initial(resource);
            var after = WithStyle(stateFactory(before));
            after = after with
            {
                Commands = [.. resource.Annotations.OfType<ResourceCommandAnnotation>().Select(c => c.Snapshot(after, _services))],
            };
            var change = new ResourceEvent(resource, resourceId, after);
            _latest[resourceId] = change;
            if (before.State?.Text != after.State?.Text)
            {
                Log.StateChanged(_logger, resourceId, before.State?.Text ?? "(none)", after.State?.Text ?? "(none)");
            }

            foreach (var watcher in _watchers)
            {
                watcher.Writer.TryWrite(change);
            }
        }

        return Task.CompletedTask;
    }

    /// <summary>Changes what is known about a resource and all of its replicas.</summary>
    public async Task PublishUpdateAsync(IResource resource, Func<CustomResourceSnapshot, CustomResourceSnapshot> stateFactory)
    {
        foreach (var id in resource.InstanceIds())
        {
            await PublishUpdateAsync(resource, id, stateFactory);
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _disposed.Cancel();
        GC.SuppressFinalize(this);
    }

    /// <summary>What is known about every resource, and a place where each change from then on arrives.</summary>
    internal Subscription Subscribe()
    {
        var channel = Channel.CreateUnbounded<ResourceEvent>(new UnboundedChannelOptions { SingleReader = true });
        lock (_gate)
        {
            _watchers.Add(channel);
            return new Subscription(this, channel, [.. _latest.Values]);
        }
    }

    internal static string Describe(CustomResourceSnapshot snapshot)
    {
        var text = $"in the state '{snapshot.State?.Text ?? "(none)"}'";
        if (snapshot.ExitCode is { } code)
        {
            text += $" with exit code {code}";
        }

        if (snapshot.HealthStatus is { } health)
        {
            text += $", {health}";
        }

        var bad = snapshot.HealthReports.Where(r => r.Status != HealthStatus.Healthy).Select(r => $"{r.Name}: {r.Description ?? "no answer yet"}");
        var reasons = string.Join("; ", bad);
        return reasons.Length > 0 ? $"{text} ({reasons})" : text;
    }

    private static bool IsUnavailable(CustomResourceSnapshot snapshot) =>
        snapshot.State?.Text is { } state && (KnownResourceStates.TerminalStates.Contains(state) || state == KnownResourceStates.RuntimeUnhealthy);

    private static CustomResourceSnapshot Initial(IResource resource)
    {
        var given = resource.TryGetLastAnnotation<ResourceSnapshotAnnotation>(out var initial) ? initial.Snapshot : null;
        var snapshot = given ?? new CustomResourceSnapshot { ResourceType = resource.TypeName(), Properties = [] };
        resource.TryGetLastAnnotation<ResourceIconAnnotation>(out var icon);
        List<RelationshipSnapshot> relationships = [.. snapshot.Relationships];
        if (resource is IResourceWithParent child)
        {
            relationships.Add(new(child.Parent.Name, "Parent"));
        }

        relationships.AddRange(resource.Annotations.OfType<ResourceRelationshipAnnotation>().Select(r => new RelationshipSnapshot(r.Resource.Name, r.Type)));
        return snapshot with
        {
            Relationships = [.. relationships.Distinct()],
            IsHidden = snapshot.IsHidden || resource.Has<HiddenAnnotation>(),
            IconName = snapshot.IconName ?? icon?.IconName,
            IconVariant = snapshot.IconVariant ?? icon?.Variant,
        };
    }

    private static CustomResourceSnapshot WithStyle(CustomResourceSnapshot snapshot)
    {
        if (snapshot.State is not { Style: null } state)
        {
            return snapshot;
        }

        var style = state.Text switch
        {
            nameof(KnownResourceStates.Running) or nameof(KnownResourceStates.Active) => KnownResourceStateStyles.Success,
            nameof(KnownResourceStates.FailedToStart) => KnownResourceStateStyles.Error,
            nameof(KnownResourceStates.Finished) or nameof(KnownResourceStates.Exited) => snapshot.ExitCode is 0 or null ? KnownResourceStateStyles.Info : KnownResourceStateStyles.Error,
            _ => null,
        };
        return style is null ? snapshot : snapshot with { State = state with { Style = style } };
    }

    private async Task WaitForDependencyAsync(IResource resource, WaitAnnotation wait, string id, CancellationToken cancellationToken)
    {
        var dependency = wait.Resource;
        var behavior = wait.Behavior ?? WaitBehavior.StopOnResourceUnavailable;
        var log = _resourceLoggers.GetLogger(resource);
        switch (wait.Type)
        {
            case WaitType.ForCompletion:
                Log.WaitingForCompletion(log, dependency.Name);
                var ended = await WaitCoreAsync(dependency.Name, e => e.ResourceId == id && IsUnavailable(e.Snapshot), "complete", cancellationToken);
                if (ended.Snapshot.State?.Text is var state && (state == KnownResourceStates.FailedToStart || ended.Snapshot.ExitCode != wait.ExitCode))
                {
                    Log.DependencyFailed(log, dependency.Name, Describe(ended.Snapshot));
                    throw new DistributedApplicationException(
                        $"Resource '{resource.Name}' stopped waiting for dependency resource '{dependency.Name}' because it is {Describe(ended.Snapshot)} where exit code {wait.ExitCode} was expected.");
                }

                break;
            default:
                Log.WaitingForRunning(log, dependency.Name);
                var reached = await WaitCoreAsync(
                    dependency.Name,
                    e => e.ResourceId == id
                        && (IsReached(e.Snapshot, wait.Type) || (behavior == WaitBehavior.StopOnResourceUnavailable && IsUnavailable(e.Snapshot))),
                    wait.Type == WaitType.UntilHealthy ? "become healthy" : "start",
                    cancellationToken);
                if (!IsReached(reached.Snapshot, wait.Type))
                {
                    Log.DependencyFailed(log, dependency.Name, Describe(reached.Snapshot));
                    throw new DistributedApplicationException(
                        $"Resource '{resource.Name}' stopped waiting for dependency resource '{dependency.Name}' because it is {Describe(reached.Snapshot)}.");
                }

                if (wait.Type == WaitType.UntilHealthy)
                {
                    await reached.Snapshot.ReadyHandlers!.WaitAsync(cancellationToken);
                }

                break;
        }

        Log.WaitedFor(log, dependency.Name);
    }

    private static bool IsReached(CustomResourceSnapshot snapshot, WaitType type)
    {
        var runs = snapshot.State?.Text is { } state && (state == KnownResourceStates.Running || state == KnownResourceStates.Active);
        return runs && (type == WaitType.UntilStarted || (snapshot.HealthStatus is HealthStatus.Healthy or null && snapshot.ReadyHandlers is not null));
    }

    private Task PublishWaitingAsync(IResource resource, IReadOnlyCollection<string> pending) => PublishUpdateAsync(resource, s =>
    {
        var names = pending.Distinct().ToArray();
        if (names.Length == 0)
        {
            return s.WithoutProperty(KnownProperties.WaitingFor);
        }

        var waits = s.State is null || s.State.Text == KnownResourceStates.NotStarted || s.State.Text == KnownResourceStates.Starting;
        return (waits ? s with { State = KnownResourceStates.Waiting } : s).WithProperty(KnownProperties.WaitingFor, names);
    });

    private async Task<ResourceEvent> WaitCoreAsync(string resourceName, Func<ResourceEvent, bool> predicate, string what, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var change in WatchAsync(cancellationToken))
            {
                if (string.Equals(change.Resource.Name, resourceName, StringComparison.OrdinalIgnoreCase) && predicate(change))
                {
                    return change;
                }
            }
        }
        catch (OperationCanceledException e)
        {
            throw new OperationCanceledException(Message(), e, e.CancellationToken);
        }

        throw new OperationCanceledException(Message());

        string Message()
        {
            string[] states;
            lock (_gate)
            {
                states = [.. _latest.Values
                    .Where(e => string.Equals(e.Resource.Name, resourceName, StringComparison.OrdinalIgnoreCase))
                    .Select(e => $"{e.ResourceId} is {Describe(e.Snapshot)}")];
            }

            return $"Resource '{resourceName}' failed to {what} before the operation was cancelled: {(states.Length > 0 ? string.Join(", ", states) : "nothing is known about it")}.";
        }
    }

    /// <summary>Somebody who listens to changes.</summary>
    internal sealed class Subscription(ResourceNotificationService owner, Channel<ResourceEvent> channel, IReadOnlyList<ResourceEvent> known) : IDisposable
    {
        internal IReadOnlyList<ResourceEvent> Known { get; } = known;

        internal ChannelReader<ResourceEvent> Changes => channel.Reader;

        public void Dispose()
        {
            lock (owner._gate)
            {
                owner._watchers.Remove(channel);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Debug, "{Resource}: {Before} -> {After}")]
        internal static partial void StateChanged(ILogger logger, string resource, string before, string after);

        [LoggerMessage(2, LogLevel.Information, "Waiting for resource '{Dependency}' to run and be healthy.")]
        internal static partial void WaitingForRunning(ILogger logger, string dependency);

        [LoggerMessage(3, LogLevel.Information, "Waiting for resource '{Dependency}' to complete.")]
        internal static partial void WaitingForCompletion(ILogger logger, string dependency);

        [LoggerMessage(4, LogLevel.Information, "Finished waiting for resource '{Dependency}'.")]
        internal static partial void WaitedFor(ILogger logger, string dependency);

        [LoggerMessage(5, LogLevel.Error, "Dependency resource '{Dependency}' is {State}.")]
        internal static partial void DependencyFailed(ILogger logger, string dependency, string state);
    }
}
