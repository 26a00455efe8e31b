using Microsoft.Extensions.Configuration;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Stands in for Microsoft.Extensions.ServiceDiscovery: host names resolved from <c>services:{name}:{endpoint}:{n}</c>.</summary>
public static class ServiceDiscoveryExtensions
{
    /// <summary>Adds the resolver.</summary>
    /// <param name="services">The host's services.</param>
    public static IServiceCollection AddServiceDiscovery(this IServiceCollection services) => services.AddTransient<ServiceDiscoveryHandler>();

    /// <summary>Resolves the host of each request of this client.</summary>
    /// <param name="builder">The client.</param>
    public static IHttpClientBuilder AddServiceDiscovery(this IHttpClientBuilder builder) => builder.AddHttpMessageHandler<ServiceDiscoveryHandler>();
}

internal sealed class ServiceDiscoveryHandler(IConfiguration configuration) : DelegatingHandler
{
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request.RequestUri is { } uri && Resolve(uri) is { } resolved)
        {
            request.RequestUri = resolved;
        }

        return base.SendAsync(request, cancellationToken);
    }

    private Uri? Resolve(Uri uri)
    {
        if (!uri.IsDefaultPort)
        {
            return null;
        }

        var addresses = configuration.GetSection($"services:{uri.Host}:{uri.Scheme}").GetChildren().Select(child => child.Value).OfType<string>().ToArray();
        return addresses.Length == 0
            ? null
            : new Uri(new Uri(addresses[Random.Shared.Next(addresses.Length)]), uri.PathAndQuery);
    }
}
