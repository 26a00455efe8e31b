using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Flurrty.Gateway.Limits;

/// <summary>What one connection may ask of the gateway's server. The services behind it take a little more (ServerDefaults), so that it alone refuses.</summary>
internal static class ServerLimits
{
    public static IHostApplicationBuilder AddServerLimits(this IHostApplicationBuilder builder)
    {
        builder.Services.Configure<KestrelServerOptions>(static kestrel =>
        {
            var limits = kestrel.Limits;
            limits.MaxRequestLineSize = 8 * 1024;
            limits.MaxRequestHeadersTotalSize = 32 * 1024;
            limits.MaxRequestHeaderCount = 100;
            limits.MaxRequestBufferSize = 1024 * 1024;
            limits.MaxResponseBufferSize = 64 * 1024;
            limits.MaxConcurrentConnections = 10_000;
            limits.RequestHeadersTimeout = TimeSpan.FromSeconds(30);

            // Longer than a balancer keeps an idle connection, so that none is closed under a request of its.
            limits.KeepAliveTimeout = TimeSpan.FromSeconds(130);
            limits.MinRequestBodyDataRate = new MinDataRate(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));
            limits.MinResponseDataRate = new MinDataRate(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));
            limits.Http2.MaxStreamsPerConnection = 100;
            limits.Http2.InitialStreamWindowSize = 256 * 1024;
            limits.Http2.InitialConnectionWindowSize = 1024 * 1024;
        });
        return builder;
    }
}
