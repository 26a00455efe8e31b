using System.Text;
using Flurrty.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Flurrty.ServiceDefaults.Http;

/// <summary>How Kestrel reads and refuses requests, in every service.</summary>
public static class ServerDefaults
{
    /// <summary>Carries headers byte for byte, takes what the gateway makes of the longest request that it takes itself, gives the server's own refusals a problem, and lets a caller that still sends see its answer.</summary>
    /// <param name="builder">The host.</param>
    public static TBuilder AddServerDefaults<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        builder.Services.Configure<KestrelServerOptions>(static kestrel =>
        {
            kestrel.AddServerHeader = false;

            // A header may hold any byte (RFC 9110, 5.5); Latin-1 is the reading that loses none and refuses none.
            kestrel.RequestHeaderEncodingSelector = static _ => Encoding.Latin1;
            kestrel.ResponseHeaderEncodingSelector = static _ => Encoding.Latin1;

            // The gateway takes 8 KiB, 32 KiB and 100. It escapes a path, which triples it at most, and adds headers of its own.
            kestrel.Limits.MaxRequestLineSize = 32 * 1024;
            kestrel.Limits.MaxRequestHeadersTotalSize = 64 * 1024;
            kestrel.Limits.MaxRequestHeaderCount = 200;

            // The gateway watches the rates of its callers. Over HTTP/2 a rate that is not kept ends the connection, with all the requests of others on it.
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;

            // Uploads share the gateway's connection: its window holds a full one of every stream, so that one that waits for its photos to be decoded holds up no other.
            kestrel.Limits.Http2.MaxStreamsPerConnection = 100;
            kestrel.Limits.Http2.InitialStreamWindowSize = 256 * 1024;
            kestrel.Limits.Http2.InitialConnectionWindowSize = 100 * 256 * 1024;
        });
        builder.Services.AddOptions<ServerOptions>().BindConfiguration(ServerOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddOptions<KestrelServerOptions>().Configure<IOptions<ServerOptions>>(static (kestrel, options) =>
            kestrel.ConfigureEndpointDefaults(endpoint =>
            {
                if (options.Value.Http2Port is { } port && endpoint.IPEndPoint?.Port == port)
                {
                    endpoint.Protocols = HttpProtocols.Http2;
                }
            }));
        builder.Services.AddHostedService<ServerRefusals>();
        builder.Services.AddTransient<IStartupFilter, DrainedBodies>();
        return builder;
    }
}
