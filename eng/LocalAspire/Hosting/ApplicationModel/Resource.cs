namespace Aspire.Hosting.ApplicationModel;

/// <summary>Something that is attached to a resource and says more about it.</summary>
public interface IResourceAnnotation;

/// <summary>A part of the application: a process, a parameter, a connection string.</summary>
public interface IResource
{
    /// <summary>The name, unique in the application.</summary>
    string Name { get; }

    /// <summary>What is attached to the resource.</summary>
    ResourceAnnotationCollection Annotations { get; }
}

/// <summary>The annotations of a resource, in the order in which they were added.</summary>
public sealed class ResourceAnnotationCollection : System.Collections.ObjectModel.Collection<IResourceAnnotation>;

/// <summary>The base of every resource.</summary>
public abstract class Resource : IResource
{
    /// <summary>Creates a resource of the given name.</summary>
    protected Resource(string name)
    {
        ModelName.Validate(name, "resource");
        Name = name;
    }

    /// <inheritdoc />
    public virtual string Name { get; }

    /// <inheritdoc />
    public virtual ResourceAnnotationCollection Annotations { get; } = [];
}
