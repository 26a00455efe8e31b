using System.Collections.Immutable;
using System.Security.Cryptography;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dashboard;
using Aspire.Hosting.Dcp;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Options;

namespace Aspire.Hosting.Orchestration;

/// <summary>Starts, watches, restarts and stops everything in the model.</summary>
internal sealed partial class ApplicationOrchestrator(
    DistributedApplicationModel model,
    DistributedApplicationExecutionContext executionContext,
    ResourceNotificationService notifications,
    ResourceLoggerService resourceLoggers,
    IDistributedApplicationEventing eventing,
    DashboardLauncher dashboard,
    DcpHost dcpHost,
    IOptions<DcpOptions> options,
    IServiceProvider services,
    TimeProvider time,
    ILogger<ApplicationOrchestrator> logger) : IHostedService, IAsyncDisposable
{
    private const string GenerationAnnotation = "localaspire-generation";
    private static readonly TimeSpan PatienceWithTheMissing = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(30);
    private readonly CancellationTokenSource _stopping = new();
    private readonly List<Task> _background = [];
    private List<ProcessResource> _processes = [];
    private Dictionary<string, ResourceInstance> _instances = new(StringComparer.OrdinalIgnoreCase);
    private ProcessLogs? _logs;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping.Token);
        await dashboard.PrepareAsync(model, either.Token);
        Prepare();
        await eventing.PublishAsync(new BeforeStartEvent(services, model), either.Token);
        await PublishInitialStatesAsync();

        if (_processes.Count > 0)
        {
            await dcpHost.StartAsync(either.Token);
            _logs = new ProcessLogs(dcpHost.Client, resourceLoggers, time);
            _background.Add(WatchAsync(_stopping.Token));
            _background.Add(WatchPresenceAsync(_stopping.Token));
            await new EndpointAllocator(dcpHost.Client, options.Value, time).AllocateAsync(_processes, either.Token);
        }

        await PublishUrlsAsync(either.Token);
        var values = new ValueResources(notifications, resourceLoggers);
        _background.AddRange(model.Resources.Where(r => !IsProcess(r)).Select(r => values.RunAsync(r, _stopping.Token)));
        _background.Add(dashboard.AnnounceAsync(notifications, _stopping.Token));

        // As in Aspire, the start is over when everything has started, has failed to, or is not to start by itself.
        await Task.WhenAll(_processes
            .Where(p => !p.Resource.Has<ExplicitStartupAnnotation>())
            .Select(p => StartAsync(p, p.Instances, either.Token)));
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await Task.WhenAll(dcpHost.StopAsync(), dashboard.StopAsync());
        await Task.WhenAll(_background).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public async ValueTask DisposeAsync()
    {
        // The host does not call StopAsync when the start was interrupted.
        await StopAsync(CancellationToken.None);
    }

    /// <summary>Starts a process that does not run, or that waits.</summary>
    internal async Task StartAsync(string id, CancellationToken cancellationToken)
    {
        var (process, instance) = Find(id);
        if (notifications.TryGetCurrentState(id, out var known) && known.Snapshot.State?.Text == KnownResourceStates.Waiting)
        {
            process.StopWaiting();
            await notifications.WaitForResourceAsync(process.Resource.Name, e => e.ResourceId == id && e.Snapshot.State?.Text != KnownResourceStates.Waiting, cancellationToken);
            return;
        }

        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping.Token);
        await StartAsync(process, [instance], either.Token);
    }

    /// <summary>Stops a process and waits until it has ended.</summary>
    internal async Task StopAsync(string id, CancellationToken cancellationToken)
    {
        var (process, instance) = Find(id);
        await instance.Gate.WaitAsync(cancellationToken);
        try
        {
            await dcpHost.Client.StopExecutableAsync(id, cancellationToken);
        }
        finally
        {
            instance.Gate.Release();
        }

        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(EndPatience);
        await notifications.WaitForResourceAsync(
            process.Resource.Name,
            e => e.ResourceId == id && e.Snapshot.State?.Text is { } state && (KnownResourceStates.TerminalStates.Contains(state) || state == KnownResourceStates.NotStarted),
            patience.Token);
    }

    /// <summary>Stops a process and starts it again.</summary>
    internal async Task RestartAsync(string id, CancellationToken cancellationToken)
    {
        await StopAsync(id, cancellationToken);
        await StartAsync(id, cancellationToken);
    }

    private static bool IsProcess(IResource resource) => resource is ExecutableResource or ProjectResource;

    private static string RandomSuffix() => RandomNumberGenerator.GetString("abcdefghijklmnopqrstuvwxyz", 8);

    private (ProcessResource Process, ResourceInstance Instance) Find(string id) =>
        _instances.TryGetValue(id, out var instance)
            ? (_processes.First(p => p.Resource == instance.Resource), instance)
            : throw new DistributedApplicationException($"The resource '{id}' is not a process of this application.");

    private void Prepare()
    {
        List<ProcessResource> processes = [];
        foreach (var resource in model.Resources.Where(IsProcess))
        {
            var count = resource.TryGetLastAnnotation<ReplicaAnnotation>(out var replicas) ? replicas.Replicas : 1;
            ResourceInstance[] instances = [.. Enumerable.Range(0, count).Select(_ => new ResourceInstance(resource, RandomSuffix()))];
            resource.Annotations.Add(new ResourceInstancesAnnotation([.. instances.Select(i => i.Id)]));
            if (resource != dashboard.Resource)
            {
                LifecycleCommands.AddTo(resource);
            }

            processes.Add(new ProcessResource(resource, instances));
        }

        _processes = processes;
        _instances = processes.SelectMany(p => p.Instances).ToDictionary(i => i.Id, StringComparer.OrdinalIgnoreCase);
    }

    private async Task PublishInitialStatesAsync()
    {
        foreach (var resource in model.Resources)
        {
            var state = IsProcess(resource) && !resource.Has<ExplicitStartupAnnotation>() ? KnownResourceStates.Starting : KnownResourceStates.NotStarted;
            await notifications.PublishUpdateAsync(resource, s => s with
            {
                State = s.State ?? state,
                HealthReports = UnknownHealth(resource),
                CreationTimeStamp = s.CreationTimeStamp ?? time.GetUtcNow().UtcDateTime,
            });
        }
    }

    private static ImmutableArray<HealthReportSnapshot> UnknownHealth(IResource resource) =>
        [.. Health.ResourceHealthMonitor.KeysOf(resource).Select(key => new HealthReportSnapshot(key, null, null, null))];

    private async Task PublishUrlsAsync(CancellationToken cancellationToken)
    {
        foreach (var resource in model.Resources.Where(r => r is IResourceWithEndpoints || r.Has<ResourceUrlsCallbackAnnotation>()))
        {
            var urls = await ResourceUrls.CollectAsync(resource, executionContext, cancellationToken);
            await notifications.PublishUpdateAsync(resource, s => s with { Urls = ResourceUrls.WithActivity(urls, s.State?.Text) });
        }
    }

    private async Task StartAsync(ProcessResource process, IReadOnlyList<ResourceInstance> instances, CancellationToken cancellationToken)
    {
        var resource = process.Resource;
        try
        {
            await PublishStartingAsync(resource, instances);
            await WaitForDependenciesAsync(process, cancellationToken);
            await PublishStartingAsync(resource, instances);
            await eventing.PublishAsync(new BeforeResourceStartedEvent(resource, services), cancellationToken);
            await Task.WhenAll(instances.Select(i => CreateAsync(process, i, cancellationToken)));
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            // One resource that cannot start must not take the others with it.
            Log.FailedToStart(logger, resource.Name, e.Message);
            foreach (var instance in instances)
            {
                resourceLoggers.AppendNow(instance.Id, $"Failed to start: {e.Message}", isError: true);
                await notifications.PublishUpdateAsync(resource, instance.Id, s => s with { State = KnownResourceStates.FailedToStart });
            }
        }
    }

    private async Task PublishStartingAsync(IResource resource, IReadOnlyList<ResourceInstance> instances)
    {
        foreach (var instance in instances)
        {
            await notifications.PublishUpdateAsync(resource, instance.Id, s => s.WithoutProperty(KnownProperties.WaitingFor) with
            {
                State = KnownResourceStates.Starting,
                ExitCode = null,
                StartTimeStamp = null,
                StopTimeStamp = null,
                HealthReports = UnknownHealth(resource),
                ReadyHandlers = null,
                Urls = ResourceUrls.WithActivity(s.Urls, KnownResourceStates.Starting),
            });
        }
    }

    private async Task WaitForDependenciesAsync(ProcessResource process, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var dependencies = notifications.WaitForDependenciesAsync(process.Resource, either.Token);
        var first = await Task.WhenAny(dependencies, process.BeginWaiting());
        if (first == dependencies)
        {
            await dependencies;
            return;
        }

        await either.CancelAsync();
        await dependencies.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
    }

    private async Task CreateAsync(ProcessResource process, ResourceInstance instance, CancellationToken cancellationToken)
    {
        await instance.Gate.WaitAsync(cancellationToken);
        try
        {
            // The name is free only when the object of the start before is gone.
            instance.Generation++;
            await DeleteAsync(instance.Id, cancellationToken);
            instance.Latest = null;
            instance.Launch = await LaunchResolver.ResolveAsync(
                process.Resource, instance.Suffix, executionContext, resourceLoggers.GetLogger(instance.Id), cancellationToken);
            var executable = Describe(process, instance, instance.Launch);
            var began = time.GetTimestamp();
            while (!await dcpHost.Client.TryCreateExecutableAsync(executable, cancellationToken))
            {
                ThrowIfTooLate(began, instance.Id);
                await DeleteAsync(instance.Id, cancellationToken);
            }

            _logs!.Follow(instance, _stopping.Token);
        }
        finally
        {
            instance.Gate.Release();
        }
    }

    private static DcpExecutable Describe(ProcessResource process, ResourceInstance instance, LaunchSettings launch)
    {
        var annotations = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [GenerationAnnotation] = instance.Generation.ToString(System.Globalization.CultureInfo.InvariantCulture),
        };
        if (process.Producers.Count > 0)
        {
            annotations[DcpServiceProducer.Annotation] = DcpClient.ProducerAnnotation(process.Producers);
        }

        return new DcpExecutable
        {
            Metadata = new DcpMetadata { Name = instance.Id, Annotations = annotations },
            Spec = new DcpExecutableSpec
            {
                ExecutablePath = launch.Command,
                WorkingDirectory = launch.WorkingDirectory,
                Args = [.. launch.LaunchArguments.Concat(launch.Arguments).Select(a => a.Text)],
                Env = [.. launch.Environment.Select(v => new DcpVariable(v.Key, v.Value.Text))],

                // What the orchestrator's own environment holds is chosen by DcpHost.
                AmbientEnvironment = new DcpAmbientEnvironment("Inherit"),
            },
        };
    }

    private async Task DeleteAsync(string id, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        while (await dcpHost.Client.DeleteExecutableAsync(id, cancellationToken))
        {
            if (await dcpHost.Client.GetExecutableAsync(id, cancellationToken) is null)
            {
                return;
            }

            ThrowIfTooLate(began, id);
            await Task.Delay(TimeSpan.FromMilliseconds(100), time, cancellationToken);
        }
    }

    private void ThrowIfTooLate(long began, string id)
    {
        if (time.GetElapsedTime(began) > EndPatience)
        {
            throw new DistributedApplicationException($"The process '{id}' did not end within {EndPatience.TotalSeconds:0} s.");
        }
    }

    /// <summary>The server ends a watch now and then; a new one tells everything again.</summary>
    private async Task WatchAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await foreach (var change in dcpHost.Client.WatchExecutablesAsync(cancellationToken))
                {
                    await ApplyAsync(change.Object, deleted: change.Type == "DELETED", cancellationToken);
                }
            }
            catch (Exception e) when (e is HttpRequestException or IOException or DistributedApplicationException && !cancellationToken.IsCancellationRequested)
            {
                Log.WatchBroke(logger, e.Message);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(500), time, cancellationToken);
        }
    }

    private async Task ApplyAsync(DcpExecutable executable, bool deleted, CancellationToken cancellationToken)
    {
        if (!_instances.TryGetValue(executable.Metadata.Name, out var instance)
            || executable.Metadata.Annotations?.GetValueOrDefault(GenerationAnnotation) != instance.Generation.ToString(System.Globalization.CultureInfo.InvariantCulture)
            || (deleted && cancellationToken.IsCancellationRequested))
        {
            return;
        }

        var before = instance.Latest?.Status?.State;
        instance.Latest = executable;
        await notifications.PublishUpdateAsync(instance.Resource, instance.Id, s =>
        {
            var after = ProcessSnapshots.Update(s, instance, executable);
            return deleted && !KnownResourceStates.TerminalStates.Contains(after.State!.Text) ? after with { State = KnownResourceStates.Exited } : after;
        });
        if (executable.Status?.State == DcpStates.FailedToStart && before != DcpStates.FailedToStart)
        {
            await _logs!.ExplainFailureAsync(instance, cancellationToken);
        }
    }

    /// <summary>
    /// The orchestrator reports the end of a process only when the last of its children has closed its output.
    /// Whoever is killed and leaves a child behind would seem to run for ever.
    /// </summary>
    private async Task WatchPresenceAsync(CancellationToken cancellationToken)
    {
        Dictionary<ResourceInstance, (int Pid, long Since)> missing = [];
        while (true)
        {
            await Task.Delay(TimeSpan.FromSeconds(1), time, cancellationToken);
            foreach (var instance in _instances.Values)
            {
                if (instance.Latest is not { Status: { State: DcpStates.Running, Pid: { } pid } } latest || Directory.Exists($"/proc/{pid}"))
                {
                    missing.Remove(instance);
                    continue;
                }

                // The orchestrator has its time to say so itself, with the exit code: on a busy machine that can be seconds.
                if (!missing.TryGetValue(instance, out var known) || known.Pid != pid)
                {
                    missing[instance] = (pid, time.GetTimestamp());
                }
                else if (time.GetElapsedTime(known.Since) > PatienceWithTheMissing && instance.Latest == latest)
                {
                    missing.Remove(instance);
                    Log.LeftChildren(logger, instance.Id, pid);
                    instance.Latest = latest with { Status = latest.Status with { State = DcpStates.Unknown, FinishTimestamp = time.GetUtcNow().UtcDateTime } };
                    await notifications.PublishUpdateAsync(instance.Resource, instance.Id, s => ProcessSnapshots.Update(s, instance, instance.Latest));
                }
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Error, "Resource '{Resource}' failed to start: {Reason}")]
        internal static partial void FailedToStart(ILogger logger, string resource, string reason);

        [LoggerMessage(2, LogLevel.Debug, "The watch of the processes broke and is renewed: {Reason}")]
        internal static partial void WatchBroke(ILogger logger, string reason);

        [LoggerMessage(3, LogLevel.Warning, "The process {Pid} of '{Resource}' is gone, but a child of it holds its output.")]
        internal static partial void LeftChildren(ILogger logger, string resource, int pid);
    }
}
