using System.Collections.Immutable;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Orchestration;

/// <summary>Puts the links of a resource together once its endpoints are placed.</summary>
internal static class ResourceUrls
{
    internal static async Task<ImmutableArray<UrlSnapshot>> CollectAsync(IResource resource, DistributedApplicationExecutionContext executionContext, CancellationToken cancellationToken)
    {
        EndpointReference[] endpoints = resource is IResourceWithEndpoints owner ? [.. owner.GetEndpoints().Where(e => e.IsAllocated)] : [];
        var context = new ResourceUrlsCallbackContext(
            executionContext,
            resource,
            [.. endpoints.Select(e => new ResourceUrlAnnotation { Url = e.Url, Endpoint = e })],
            cancellationToken);
        foreach (var annotation in resource.Annotations.OfType<ResourceUrlsCallbackAnnotation>().ToArray())
        {
            await annotation.Callback(context);
        }

        var web = endpoints.FirstOrDefault(e => e.IsHttp || e.IsHttps);
        return [.. context.Urls.Select(u => Snapshot(u, web))];
    }

    /// <summary>The links lead somewhere only while the resource runs.</summary>
    internal static ImmutableArray<UrlSnapshot> WithActivity(ImmutableArray<UrlSnapshot> urls, string? state) =>
        [.. urls.Select(u => u with { IsInactive = state != KnownResourceStates.Running })];

    private static UrlSnapshot Snapshot(ResourceUrlAnnotation url, EndpointReference? web)
    {
        var address = url.Url;
        if (address.StartsWith('/') && (url.Endpoint ?? web) is { } endpoint)
        {
            address = new Uri(new Uri(endpoint.Url), address).ToString();
        }

        return new UrlSnapshot(url.Endpoint?.EndpointName, address, url.DisplayLocation == UrlDisplayLocation.DetailsOnly) { DisplayProperties = new(url.DisplayText ?? string.Empty), IsInactive = true };
    }
}
