using System.Collections.Immutable;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>Adds environment variables when the resource starts.</summary>
internal sealed class EnvironmentCallbackAnnotation(Func<EnvironmentCallbackContext, Task> callback) : IResourceAnnotation
{
    internal Func<EnvironmentCallbackContext, Task> Callback { get; } = callback;
}

/// <summary>Adds arguments when the resource starts.</summary>
internal sealed class CommandLineArgsCallbackAnnotation(Func<CommandLineArgsCallbackContext, Task> callback) : IResourceAnnotation
{
    internal Func<CommandLineArgsCallbackContext, Task> Callback { get; } = callback;
}

/// <summary>Says how many processes a project has.</summary>
internal sealed class ReplicaAnnotation(int replicas) : IResourceAnnotation
{
    internal int Replicas { get; } = replicas;
}

/// <summary>The resource starts only when somebody asks.</summary>
internal sealed class ExplicitStartupAnnotation : IResourceAnnotation;

/// <summary>A check, registered with the host, that says whether the resource works.</summary>
public sealed class HealthCheckAnnotation(string key) : IResourceAnnotation
{
    /// <summary>The name that the check is registered under.</summary>
    public string Key { get; } = key;
}

/// <summary>What a resource waits for.</summary>
internal enum WaitType
{
    UntilHealthy,
    UntilStarted,
    ForCompletion,
}

/// <summary>What to do when a resource that others wait for cannot be had.</summary>
public enum WaitBehavior
{
    /// <summary>Keep waiting: it may be started again.</summary>
    WaitOnResourceUnavailable,

    /// <summary>Stop waiting and fail.</summary>
    StopOnResourceUnavailable,
}

/// <summary>One resource that another one waits for.</summary>
internal sealed class WaitAnnotation(IResource resource, WaitType type, int exitCode, WaitBehavior? behavior) : IResourceAnnotation
{
    internal IResource Resource { get; } = resource;

    internal WaitType Type { get; } = type;

    internal int ExitCode { get; } = exitCode;

    internal WaitBehavior? Behavior { get; } = behavior;
}

/// <summary>A relation to another resource, shown by the dashboard.</summary>
internal sealed class ResourceRelationshipAnnotation(IResource resource, string type) : IResourceAnnotation
{
    internal IResource Resource { get; } = resource;

    internal string Type { get; } = type;
}

/// <summary>A link of a resource, shown by the dashboard.</summary>
public sealed class ResourceUrlAnnotation : IResourceAnnotation
{
    /// <summary>The address.</summary>
    public required string Url { get; set; }

    /// <summary>What is shown in its place.</summary>
    public string? DisplayText { get; set; }

    /// <summary>The endpoint that the link leads to.</summary>
    public EndpointReference? Endpoint { get; init; }

    /// <summary>Where the dashboard shows it.</summary>
    public UrlDisplayLocation DisplayLocation { get; set; }
}

/// <summary>Where the dashboard shows a link.</summary>
public enum UrlDisplayLocation
{
    /// <summary>In the list of resources and in the details.</summary>
    SummaryAndDetails,

    /// <summary>In the details only.</summary>
    DetailsOnly,
}

/// <summary>Adds or changes links once the endpoints are placed.</summary>
internal sealed class ResourceUrlsCallbackAnnotation(Func<ResourceUrlsCallbackContext, Task> callback) : IResourceAnnotation
{
    internal Func<ResourceUrlsCallbackContext, Task> Callback { get; } = callback;
}

/// <summary>The state that a resource has before anything happens to it.</summary>
internal sealed class ResourceSnapshotAnnotation(CustomResourceSnapshot snapshot) : IResourceAnnotation
{
    internal CustomResourceSnapshot Snapshot { get; } = snapshot;
}

/// <summary>The look of an icon.</summary>
public enum IconVariant
{
    /// <summary>Outlined.</summary>
    Regular,

    /// <summary>Filled.</summary>
    Filled,
}

/// <summary>The icon of a resource.</summary>
internal sealed class ResourceIconAnnotation(string iconName, IconVariant variant) : IResourceAnnotation
{
    internal string IconName { get; } = iconName;

    internal IconVariant Variant { get; } = variant;
}

/// <summary>Something that can be done to a resource.</summary>
internal sealed class ResourceCommandAnnotation(
    string name,
    string displayName,
    Func<ExecuteCommandContext, Task<ExecuteCommandResult>> executeCommand,
    CommandOptions options) : IResourceAnnotation
{
    internal string Name { get; } = name;

    internal string DisplayName { get; } = displayName;

    internal Func<ExecuteCommandContext, Task<ExecuteCommandResult>> ExecuteCommand { get; } = executeCommand;

    internal CommandOptions Options { get; } = options;

    internal ResourceCommandSnapshot Snapshot(CustomResourceSnapshot resource, IServiceProvider services) => new(
        Name,
        Options.UpdateState?.Invoke(new UpdateCommandStateContext { ResourceSnapshot = resource, ServiceProvider = services }) ?? ResourceCommandState.Enabled,
        DisplayName,
        Options.Description,
        Parameter: null,
        Options.ConfirmationMessage,
        Options.IconName,
        Options.IconVariant,
        Options.IsHighlighted);
}

/// <summary>The ids under which the processes of a resource are known.</summary>
internal sealed class ResourceInstancesAnnotation(ImmutableArray<string> ids) : IResourceAnnotation
{
    internal ImmutableArray<string> Ids { get; } = ids;
}

/// <summary>The dashboard leaves the resource out.</summary>
internal sealed class HiddenAnnotation : IResourceAnnotation;
