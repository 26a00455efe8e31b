#pragma warning disable ASPIREPROBES001 // Probes are marked as experimental in Aspire 13; without them liveness could not be told.

using Flurrty.AppHost.Infrastructure;

namespace Flurrty.AppHost;

/// <summary>How services look and are watched on the dashboard.</summary>
internal static class ServiceAppearance
{
    /// <summary>Ready when <c>/health</c> answers, alive when <c>/alive</c> does; with an icon, and its URL among the details only: callers go through the gateway.</summary>
    public static IResourceBuilder<ProjectResource> AsInternalService(this IResourceBuilder<ProjectResource> service, string icon) =>
        service.AsService(icon)
            .WithUrlForEndpoint("http", static url => url.DisplayLocation = UrlDisplayLocation.DetailsOnly)
            .WithUrlForEndpoint("http", static endpoint => new ResourceUrlAnnotation
            {
                Url = "/openapi/v1.json",
                DisplayText = "Its part of the OpenAPI document",
                Endpoint = endpoint,
                DisplayLocation = UrlDisplayLocation.DetailsOnly,
            });

    /// <summary>The entrance: its URLs are what a person looks for.</summary>
    public static IResourceBuilder<ProjectResource> AsGateway(this IResourceBuilder<ProjectResource> gateway, string icon) =>
        gateway.AsService(icon)
            .WithExternalHttpEndpoints()
            .WithUrlForEndpoint("http", static url => url.DisplayText = "API")
            .WithUrlForEndpoint("http", static endpoint => new ResourceUrlAnnotation { Url = "/openapi/v1.json", DisplayText = "OpenAPI document", Endpoint = endpoint });

    public static IResourceBuilder<ProjectResource> AsService(this IResourceBuilder<ProjectResource> service, string icon) =>
        service
            .WithReadiness($"{service.Resource.Name}-health", new ServiceReadiness(service.GetEndpoint("http")))
            .WithHttpProbe(ProbeType.Liveness, "/alive")
            .WithIconName(icon);
}
