using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Context.Propagation;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Flurrty.ServiceDefaults.Telemetry;

/// <summary>Traces, metrics and logs by OTLP, when an exporter endpoint is configured.</summary>
public static class TelemetryExtensions
{
    /// <summary>Adds OpenTelemetry with the sources and meters that Flurrty's services have.</summary>
    /// <param name="builder">The host.</param>
    public static TBuilder ConfigureOpenTelemetry<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        // The framework reads and writes the header itself, and the gateway tells it not to believe a caller's; the default of the packages would.
        Sdk.SetDefaultTextMapPropagator(new TraceContextPropagator());
        var telemetry = builder.Services.AddOpenTelemetry();
        telemetry
            .ConfigureResource(resource => resource
                .Clear()
                .AddService(builder.Environment.ApplicationName)
                .AddTelemetrySdk()
                .AddEnvironmentVariableDetector())
            .WithTracing(tracing => tracing
                .AddSource(builder.Environment.ApplicationName)
                .AddSource("Flurrty.*", "MassTransit", "Yarp.ReverseProxy")
                .AddAspNetCoreInstrumentation(static requests =>
                {
                    requests.Filter = static context => !ServiceDefaultsExtensions.IsHealthPath(context.Request.Path);

                    // A path may be a capability (webhook token), and so may a query: the route says enough.
                    requests.EnrichWithHttpRequest = static (span, _) => span.SetTag("url.path", null).SetTag("url.query", null);
                })
                .AddHttpClientInstrumentation())
            .WithMetrics(metrics => metrics
                .AddAspNetCoreInstrumentation()
                .AddHttpClientInstrumentation()
                .AddRuntimeInstrumentation()
                .AddMeter("Flurrty.*", "MassTransit", "Microsoft.EntityFrameworkCore", "Polly"))
            .WithLogging(null, logging =>
            {
                logging.IncludeFormattedMessage = true;
                logging.IncludeScopes = true;
            });
        if (!string.IsNullOrWhiteSpace(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
        {
            // Three signals are flushed at the end, one after the other: a collector that is gone already must not hold up the stop.
            builder.Configuration["OTEL_EXPORTER_OTLP_TIMEOUT"] ??= "700";
            telemetry.UseOtlpExporter();
        }

        // These log each request, and whole URLs with their queries, which may be capabilities.
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        builder.Logging.AddFilter("Npgsql", LogLevel.Warning);
        builder.Logging.AddFilter("Yarp.ReverseProxy.Forwarder.HttpForwarder", LogLevel.Warning);
        builder.Logging.AddFilter("System.Net.Http.HttpClient", LogLevel.Warning);
        builder.Logging.AddFilter("Microsoft.EntityFrameworkCore.Database.Command", LogLevel.Warning);
        builder.Logging.AddFilter("Microsoft.EntityFrameworkCore.Infrastructure", LogLevel.Warning);

        // It opens a scope with the request's path around everything that is logged meanwhile, and that path may be a capability (webhook token).
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);

        // It tells of each try, the good ones too.
        builder.Logging.AddFilter("Polly", LogLevel.Warning);

        // The answer of /health says it, and the dashboard shows it; while a service starts it is no error.
        builder.Logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None);
        return builder;
    }
}
