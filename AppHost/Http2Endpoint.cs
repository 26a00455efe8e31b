namespace Flurrty.AppHost;

internal static class Http2Endpoint
{
    private const string Name = "h2c";

    /// <summary>A second endpoint, for the gateway: HTTP/2 without TLS needs a port of its own, as the protocol cannot be negotiated there.</summary>
    public static IResourceBuilder<ProjectResource> WithHttp2Endpoint(this IResourceBuilder<ProjectResource> service) =>
        service.WithHttpEndpoint(name: Name)
            .WithEndpoint(Name, static endpoint => endpoint.Transport = "http2", createIfNotExists: false)
            .WithUrlForEndpoint(Name, static url => url.DisplayLocation = UrlDisplayLocation.DetailsOnly)
            .WithEnvironment("Server__Http2Port", service.GetEndpoint(Name).Property(EndpointProperty.TargetPort));
}
