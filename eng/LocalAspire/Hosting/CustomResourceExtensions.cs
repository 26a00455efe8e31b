using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

/// <summary>Adds resources that are not processes.</summary>
public static class CustomResourceExtensions
{
    /// <summary>Says what a resource looks like before anything happens to it.</summary>
    public static IResourceBuilder<T> WithInitialState<T>(this IResourceBuilder<T> builder, CustomResourceSnapshot initialSnapshot)
        where T : IResource
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(initialSnapshot);
        return builder.WithAnnotation(new ResourceSnapshotAnnotation(initialSnapshot), ResourceAnnotationMutationBehavior.Replace);
    }
}
