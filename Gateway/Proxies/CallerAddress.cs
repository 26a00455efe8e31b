using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Options;

namespace Flurrty.Gateway.Proxies;

/// <summary>Learns the caller's address and scheme from X-Forwarded-For and X-Forwarded-Proto, where a configured proxy says them.</summary>
internal static class CallerAddress
{
    public static IHostApplicationBuilder AddProxies(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<ProxiesOptions>().BindConfiguration(ProxiesOptions.Section).ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<ProxiesOptions>, ProxiesValidation>();

        // After all others: a host's environment (ASPNETCORE_FORWARDEDHEADERS_ENABLED) would have everybody believed.
        builder.Services.AddOptions<ForwardedHeadersOptions>().PostConfigure<IOptions<ProxiesOptions>>(static (forwarded, proxies) =>
        {
            forwarded.KnownProxies.Clear();
            forwarded.KnownIPNetworks.Clear();
            foreach (var entry in proxies.Value.Trusted)
            {
                forwarded.KnownIPNetworks.Add(ProxiesOptions.NetworkOf(entry)!.Value);
            }

            // The middleware takes two empty lists for "everybody".
            forwarded.ForwardedHeaders = proxies.Value.Trusted.Count == 0 ? ForwardedHeaders.None : ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto;
            forwarded.ForwardLimit = proxies.Value.Hops;
        });
        return builder;
    }

    /// <summary>Before everything that looks at the caller's address.</summary>
    public static WebApplication UseCallerAddress(this WebApplication app)
    {
        app.UseForwardedHeaders();
        app.Use(static (context, next) =>
        {
            // One address has one form, whether the socket takes both families or the proxy writes it so.
            if (context.Connection.RemoteIpAddress is { IsIPv4MappedToIPv6: true } mapped)
            {
                context.Connection.RemoteIpAddress = mapped.MapToIPv4();
            }

            return next(context);
        });
        return app;
    }
}
