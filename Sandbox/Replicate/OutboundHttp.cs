using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Options;

namespace Flurrty.Sandbox.Replicate;

/// <summary>The sandbox as a client: it fetches inputs and delivers webhooks. Redirects are not followed.</summary>
internal sealed class OutboundHttp : IDisposable
{
    private readonly SocketsHttpHandler _handler;
    private readonly bool _strict;

    public OutboundHttp(IOptions<SandboxOptions> options)
    {
        _strict = options.Value.Strict;
        _handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            ConnectTimeout = TimeSpan.FromSeconds(10),
            ConnectCallback = ConnectAsync,

            // Nothing of the caller's trace belongs to what another company's service sends.
            ActivityHeadersPropagator = null,
        };
        Client = new HttpClient(_handler) { Timeout = Timeout.InfiniteTimeSpan };
    }

    public HttpClient Client { get; }

    /// <summary>Why the real service would not call this URL; null when it would.</summary>
    public string? Refusal(Uri url)
    {
        if (!url.IsAbsoluteUri || url.Scheme is not ("http" or "https"))
        {
            return "must be an HTTP or HTTPS URL";
        }

        if (!_strict)
        {
            return null;
        }

        if (url.Scheme != "https")
        {
            return "must be an HTTPS URL";
        }

        string host = url.IdnHost;
        return host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase)
            || host.EndsWith(".internal", StringComparison.OrdinalIgnoreCase)
            || (!host.Contains('.', StringComparison.Ordinal) && url.HostNameType == UriHostNameType.Dns)
            || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && !IsPublic(address))
            ? "must be reachable from the internet"
            : null;
    }

    public static bool IsPublic(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
        {
            address = address.MapToIPv4();
        }

        if (IPAddress.IsLoopback(address))
        {
            return false;
        }

        if (address.AddressFamily == AddressFamily.InterNetworkV6)
        {
            // Only 2000::/3 is given out; documentation, 6to4 and Teredo ranges in it lead nowhere or elsewhere.
            byte[] v6 = address.GetAddressBytes();
            return (v6[0] & 0xe0) == 0x20 && !(v6[0] == 0x20 && v6[1] == 0x02) && !(v6[0] == 0x20 && v6[1] == 0x01 && (v6[2] == 0 || (v6[2] == 0x0d && v6[3] == 0xb8)));
        }

        byte[] v4 = address.GetAddressBytes();
        return (v4[0], v4[1], v4[2]) switch
        {
            (0 or 10 or 127 or >= 224, _, _) => false,
            (100, >= 64 and <= 127, _) => false,
            (169, 254, _) => false,
            (172, >= 16 and <= 31, _) => false,
            (192, 168, _) => false,
            (192, 0, 0 or 2) => false,
            (198, 18 or 19, _) => false,
            (198, 51, 100) or (203, 0, 113) => false,
            _ => true,
        };
    }

    public void Dispose()
    {
        Client.Dispose();
        _handler.Dispose();
    }

    // The check is on the address that is connected to, so a name cannot resolve to something else in between.
    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var addresses = await Dns.GetHostAddressesAsync(context.DnsEndPoint.Host, cancellationToken);
        var allowed = _strict ? Array.FindAll(addresses, IsPublic) : addresses;
        if (allowed.Length == 0)
        {
            throw new HttpRequestException("The host has no public address.");
        }

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, context.DnsEndPoint.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
