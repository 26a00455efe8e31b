using System.Reflection;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;

namespace Aspire.Hosting;

/// <summary>Describes an application.</summary>
public interface IDistributedApplicationBuilder
{
    /// <summary>The configuration of the AppHost.</summary>
    public ConfigurationManager Configuration { get; }

    /// <summary>The directory of the AppHost's project.</summary>
    public string AppHostDirectory { get; }

    /// <summary>The assembly of the AppHost.</summary>
    public Assembly? AppHostAssembly { get; }

    /// <summary>The environment of the AppHost.</summary>
    public IHostEnvironment Environment { get; }

    /// <summary>The services of the AppHost.</summary>
    public IServiceCollection Services { get; }

    /// <summary>Lets code run when something happens.</summary>
    public IDistributedApplicationEventing Eventing { get; }

    /// <summary>How the AppHost was started.</summary>
    public DistributedApplicationExecutionContext ExecutionContext { get; }

    /// <summary>All resources added so far.</summary>
    public IResourceCollection Resources { get; }

    /// <summary>Adds a resource; its name must be new.</summary>
    public IResourceBuilder<T> AddResource<T>(T resource)
        where T : IResource;

    /// <summary>Makes a builder for a resource without adding it.</summary>
    public IResourceBuilder<T> CreateResourceBuilder<T>(T resource)
        where T : IResource;

    /// <summary>Ends the description.</summary>
    public DistributedApplication Build();
}

/// <summary>What is known of a project at build time.</summary>
public interface IProjectMetadata : IResourceAnnotation
{
    /// <summary>The path of the project file.</summary>
    public string ProjectPath { get; }
}
