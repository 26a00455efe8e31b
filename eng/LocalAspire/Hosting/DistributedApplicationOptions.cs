using System.Reflection;

namespace Aspire.Hosting;

/// <summary>How an application is built.</summary>
public sealed class DistributedApplicationOptions
{
    /// <summary>The arguments of the AppHost.</summary>
    public string[]? Args { get; set; }

    /// <summary>The name of the AppHost's assembly.</summary>
    public string? AssemblyName { get; set; }

    /// <summary>Whether to do without the dashboard.</summary>
    public bool DisableDashboard { get; set; }

    /// <summary>Whether the resources' logs go to the AppHost's log as well.</summary>
    public bool EnableResourceLogging { get; set; }

    /// <summary>The directory of the AppHost's project.</summary>
    public string? ProjectDirectory { get; set; }

    /// <summary>The name that the dashboard shows.</summary>
    public string? DashboardApplicationName { get; set; }

    /// <summary>Whether the dashboard may do without TLS; it does here in any case, on the loopback interface only.</summary>
    public bool AllowUnsecuredTransport { get; set; }

    internal Assembly? Assembly { get; set; }
}

/// <summary>What the AppHost was started for.</summary>
public enum DistributedApplicationOperation
{
    /// <summary>To run the application here.</summary>
    Run,

    /// <summary>To write it down for another place.</summary>
    Publish,
}

/// <summary>How the AppHost was started.</summary>
public class DistributedApplicationExecutionContext(DistributedApplicationOperation operation)
{
    private IServiceProvider? _services;

    /// <summary>What the AppHost was started for.</summary>
    public DistributedApplicationOperation Operation { get; } = operation;

    /// <summary>Whether the application runs here.</summary>
    public bool IsRunMode => Operation == DistributedApplicationOperation.Run;

    /// <summary>Whether it is only written down.</summary>
    public bool IsPublishMode => Operation == DistributedApplicationOperation.Publish;

    /// <summary>The services of the AppHost, once they are built.</summary>
    public IServiceProvider ServiceProvider => _services
        ?? throw new InvalidOperationException("The services are not available before the application is built.");

    internal void Built(IServiceProvider services) => _services = services;
}

/// <summary>Something is wrong with the application as described.</summary>
public class DistributedApplicationException : Exception
{
    /// <summary>Without a reason.</summary>
    public DistributedApplicationException()
    {
    }

    /// <summary>With a reason.</summary>
    public DistributedApplicationException(string message)
        : base(message)
    {
    }

    /// <summary>With a reason and its cause.</summary>
    public DistributedApplicationException(string message, Exception inner)
        : base(message, inner)
    {
    }
}

/// <summary>A parameter has no value.</summary>
public class MissingParameterValueException : DistributedApplicationException
{
    /// <summary>With a reason.</summary>
    public MissingParameterValueException(string message)
        : base(message)
    {
    }

    /// <summary>With a reason and its cause.</summary>
    public MissingParameterValueException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
