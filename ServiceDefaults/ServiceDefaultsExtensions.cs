using Flurrty.ServiceDefaults.Hosting;
using Flurrty.ServiceDefaults.Http;
using Flurrty.ServiceDefaults.Problems;
using Flurrty.ServiceDefaults.Telemetry;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Flurrty.ServiceDefaults;

/// <summary>What every service has: telemetry, health, discovery, outgoing HTTP that never repeats an unsafe request, and problem details.</summary>
public static class ServiceDefaultsExtensions
{
    private const string HealthPath = "/health";
    private const string AlivePath = "/alive";

    /// <summary>Adds the defaults to a service.</summary>
    /// <param name="builder">The host.</param>
    public static TBuilder AddServiceDefaults<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        builder.ConfigureOpenTelemetry();
        builder.AddDefaultHealthChecks();
        builder.Services.AddServiceDiscovery();
        builder.Services.ConfigureHttpClientDefaults(static http =>
        {
            // Outside of the discovery, so that a repeated request may go to another address.
            http.AddSafeRetries();
            http.AddServiceDiscovery();
        });
        builder.Services.AddFlurrtyProblems();
        ProtectionKeys.AddTo(builder.Services);
        builder.AddServerDefaults();

        // A host's environment (ASPNETCORE_FORWARDEDHEADERS_ENABLED) would have everybody believed, and would take the gateway's word about the caller out of the headers.
        builder.Services.PostConfigure<ForwardedHeadersOptions>(static forwarded => forwarded.ForwardedHeaders = ForwardedHeaders.None);
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddShutdown();
        return builder;
    }

    /// <summary>Adds a liveness check that answers as soon as the process serves requests.</summary>
    /// <param name="builder">The host.</param>
    public static TBuilder AddDefaultHealthChecks<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        builder.Services.AddHealthChecks().AddCheck("self", () => HealthCheckResult.Healthy(), ["live"]);
        return builder;
    }

    /// <summary>Maps <c>/health</c> (ready for requests) and <c>/alive</c> (the process serves), and turns every refusal and exception into a problem.</summary>
    /// <param name="app">The service.</param>
    public static WebApplication MapDefaultEndpoints(this WebApplication app)
    {
        app.UseExceptionHandler();
        app.UseStatusCodePages(StatusProblems.WriteAsync);
        app.UseRouting();
        if (app.Services.GetService<IAuthenticationSchemeProvider>() is not null)
        {
            app.UseAuthentication();
            app.UseAuthorization();
        }

        app.MapHealthChecks(HealthPath).AllowAnonymous().DisableHttpMetrics();
        app.MapHealthChecks(AlivePath, new HealthCheckOptions { Predicate = check => check.Tags.Contains("live") }).AllowAnonymous().DisableHttpMetrics();
        return app;
    }

    internal static bool IsHealthPath(PathString path) =>
        path.Equals(HealthPath, StringComparison.OrdinalIgnoreCase) || path.Equals(AlivePath, StringComparison.OrdinalIgnoreCase);
}
