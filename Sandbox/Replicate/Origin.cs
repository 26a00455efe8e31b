using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Options;

namespace Flurrty.Sandbox.Replicate;

/// <summary>The origin that URLs in answers are made for, and which origins are the sandbox itself.</summary>
internal sealed class Origin(IOptions<SandboxOptions> options, IServer server)
{
    private readonly string? _public = options.Value.PublicUrl is { Length: > 0 } url ? url.TrimEnd('/') : null;

    public string Of(HttpRequest request) => _public ?? $"{request.Scheme}://{request.Host.Value}";

    /// <summary>For what is sent without a request at hand, such as webhooks.</summary>
    public string Of(string remembered) => _public ?? remembered;

    public bool IsOwn(Uri url, string requestOrigin)
    {
        string origin = url.GetLeftPart(UriPartial.Authority);
        return string.Equals(origin, requestOrigin, StringComparison.OrdinalIgnoreCase)
            || string.Equals(origin, _public, StringComparison.OrdinalIgnoreCase)
            || (server.Features.Get<IServerAddressesFeature>()?.Addresses.Any(address =>
                string.Equals(origin, address.TrimEnd('/'), StringComparison.OrdinalIgnoreCase)) ?? false);
    }
}
