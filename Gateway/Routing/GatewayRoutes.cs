using System.Diagnostics;
using Flurrty.ServiceDefaults.Problems;
using Flurrty.ServiceDefaults.Tickets;
using Microsoft.Extensions.Options;
using OpenTelemetry.Instrumentation.Http;
using Yarp.ReverseProxy.Configuration;

namespace Flurrty.Gateway.Routing;

/// <summary>Brings each request to the service that answers it.</summary>
internal static class GatewayRoutes
{
    public static IHostApplicationBuilder AddRouting(this IHostApplicationBuilder builder)
    {
        builder.AddTicketSigner();
        builder.Services.AddOptions<RoutingOptions>().BindConfiguration(RoutingOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<DistributedContextPropagator, UntrustedTraces>();
        builder.Services.AddReverseProxy().AddTransforms<TicketTransform>().AddServiceDiscoveryDestinationResolver();
        builder.Services.AddSingleton<IProxyConfigProvider>(services =>
        {
            var options = services.GetRequiredService<IOptions<RoutingOptions>>().Value;
            var endpoints = services.GetRequiredService<IConfiguration>().GetSection("services");
            return new InMemoryConfigProvider(RouteTable.Routes(options), RouteTable.Clusters(options, service => endpoints.GetSection($"{service}:h2c").Exists()));
        });

        // Its log scope has the path of the request, which is a capability where a provider calls back.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);

        // So has the address that a request is forwarded to; its span stands below one that names the route.
        builder.Services.Configure<HttpClientTraceInstrumentationOptions>(static forwarded =>
            forwarded.EnrichWithHttpRequestMessage = static (span, request) => span.SetTag("url.full", request.RequestUri?.GetLeftPart(UriPartial.Authority)));
        return builder;
    }

    public static WebApplication MapRoutes(this WebApplication app)
    {
        app.MapReverseProxy(proxy =>
        {
            proxy.Use(RequestBodies.RefuseTooLargeAsync);
            proxy.Use(ForwardingProblems.AnswerAsync);
            proxy.UseLoadBalancing();
        });
        app.MapFallback("{*path}", NotFoundAsync).AllowAnonymous();
        return app;
    }

    private static Task NotFoundAsync(HttpContext context) => Problem.WriteAsync(context, Problem.Details(
        StatusCodes.Status404NotFound, "route_not_found", "There is no such address.", "The addresses are listed in /openapi/v1.json."));
}
