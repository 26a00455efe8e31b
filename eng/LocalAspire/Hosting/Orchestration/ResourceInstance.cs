using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dcp;

namespace Aspire.Hosting.Orchestration;

/// <summary>One process of a resource: the resource itself, or one of its replicas.</summary>
internal sealed class ResourceInstance(IResource resource, string suffix)
{
    internal IResource Resource { get; } = resource;

    /// <summary>The id of the process for the orchestrator, the dashboard and the notification service.</summary>
    internal string Id { get; } = $"{resource.Name}-{suffix}";

    /// <summary>What tells the process apart in telemetry.</summary>
    internal string Suffix { get; } = suffix;

    /// <summary>Held while the process is created or stopped.</summary>
    internal SemaphoreSlim Gate { get; } = new(1, 1);

    /// <summary>Counts the starts: news about an earlier one are ignored.</summary>
    internal int Generation { get; set; }

    /// <summary>What the process was started with last.</summary>
    internal LaunchSettings? Launch { get; set; }

    /// <summary>What the orchestrator said last.</summary>
    internal DcpExecutable? Latest { get; set; }
}

/// <summary>A resource that runs as one or several processes.</summary>
internal sealed class ProcessResource(IResource resource, IReadOnlyList<ResourceInstance> instances)
{
    private TaskCompletionSource? _proceed;

    internal IResource Resource { get; } = resource;

    internal IReadOnlyList<ResourceInstance> Instances { get; } = instances;

    /// <summary>The ports that its processes serve.</summary>
    internal List<DcpServiceProducer> Producers { get; } = [];

    /// <summary>Completes when somebody does not want to wait for the dependencies any longer.</summary>
    internal Task BeginWaiting() => (_proceed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    internal void StopWaiting() => _proceed?.TrySetResult();
}
