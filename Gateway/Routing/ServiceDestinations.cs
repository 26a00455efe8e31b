using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.ServiceDiscovery;

namespace Flurrty.Gateway.Routing;

/// <summary>Finds the addresses of the services in the configuration (<c>services:{name}:http:{n}</c>), and again when it changes.</summary>
internal sealed class ServiceDestinations(IConfiguration configuration) : IDestinationResolver
{
    public ValueTask<ResolvedDestinationCollection> ResolveDestinationsAsync(
        IReadOnlyDictionary<string, DestinationConfig> destinations, CancellationToken cancellationToken)
    {
        var resolved = new Dictionary<string, DestinationConfig>(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, destination) in destinations)
        {
            var addresses = configuration.GetSection($"services:{new Uri(destination.Address).Host}:http").GetChildren()
                .Select(child => child.Value).Where(address => !string.IsNullOrEmpty(address)).DefaultIfEmpty(destination.Address);
            foreach (var address in addresses)
            {
                resolved[$"{name}[{resolved.Count}]"] = destination with { Address = address! };
            }
        }

        return ValueTask.FromResult(new ResolvedDestinationCollection(resolved, configuration.GetReloadToken()));
    }
}
