using Microsoft.Extensions.Logging.Abstractions;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>The variables of a process while they are put together.</summary>
public class EnvironmentCallbackContext
{
    private readonly IResource? _resource;

    /// <summary>Starts with the given variables.</summary>
    public EnvironmentCallbackContext(
        DistributedApplicationExecutionContext executionContext,
        Dictionary<string, object>? environmentVariables = null,
        CancellationToken cancellationToken = default)
    {
        ExecutionContext = executionContext;
        EnvironmentVariables = environmentVariables ?? [];
        CancellationToken = cancellationToken;
    }

    /// <summary>Starts with the given variables of a resource.</summary>
    public EnvironmentCallbackContext(
        DistributedApplicationExecutionContext executionContext,
        IResource resource,
        Dictionary<string, object>? environmentVariables = null,
        CancellationToken cancellationToken = default)
        : this(executionContext, environmentVariables, cancellationToken) => _resource = resource;

    /// <summary>Names and values; a value is a string, or something that becomes one.</summary>
    public Dictionary<string, object> EnvironmentVariables { get; }

    /// <summary>Signals that nobody waits any more.</summary>
    public CancellationToken CancellationToken { get; }

    /// <summary>Writes to the log of the resource.</summary>
    public ILogger Logger { get; set; } = NullLogger.Instance;

    /// <summary>Whose variables they are.</summary>
    public IResource Resource => _resource ?? throw new InvalidOperationException("The context has no resource.");

    /// <summary>How the AppHost was started.</summary>
    public DistributedApplicationExecutionContext ExecutionContext { get; }
}

/// <summary>The arguments of a process while they are put together.</summary>
public sealed class CommandLineArgsCallbackContext
{
    private readonly IResource? _resource;

    /// <summary>Starts with the given arguments.</summary>
    public CommandLineArgsCallbackContext(IList<object> args, CancellationToken cancellationToken = default)
    {
        Args = args;
        CancellationToken = cancellationToken;
    }

    /// <summary>Starts with the given arguments of a resource.</summary>
    public CommandLineArgsCallbackContext(IList<object> args, IResource resource, CancellationToken cancellationToken = default)
        : this(args, cancellationToken) => _resource = resource;

    /// <summary>The arguments; each is a string, or something that becomes one.</summary>
    public IList<object> Args { get; }

    /// <summary>Signals that nobody waits any more.</summary>
    public CancellationToken CancellationToken { get; }

    /// <summary>Writes to the log of the resource.</summary>
    public ILogger Logger { get; init; } = NullLogger.Instance;

    /// <summary>Whose arguments they are.</summary>
    public IResource Resource => _resource ?? throw new InvalidOperationException("The context has no resource.");

    /// <summary>How the AppHost was started.</summary>
    public DistributedApplicationExecutionContext ExecutionContext { get; init; } = new(DistributedApplicationOperation.Run);
}

/// <summary>The links of a resource while they are put together.</summary>
public class ResourceUrlsCallbackContext(
    DistributedApplicationExecutionContext executionContext,
    IResource resource,
    List<ResourceUrlAnnotation>? urls = null,
    CancellationToken cancellationToken = default)
{
    /// <summary>Whose links they are.</summary>
    public IResource Resource { get; } = resource;

    /// <summary>The links.</summary>
    public List<ResourceUrlAnnotation> Urls { get; } = urls ?? [];

    /// <summary>Signals that nobody waits any more.</summary>
    public CancellationToken CancellationToken { get; } = cancellationToken;

    /// <summary>How the AppHost was started.</summary>
    public DistributedApplicationExecutionContext ExecutionContext { get; } = executionContext;

    /// <summary>An endpoint of the resource by name.</summary>
    public EndpointReference? GetEndpoint(string name) =>
        Resource is IResourceWithEndpoints owner ? new EndpointReference(owner, name) : null;
}
