using Microsoft.Extensions.Hosting;
using OpenTelemetry;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Stands in for OpenTelemetry.Extensions.Hosting: the same entry point over the host's services.</summary>
public static class OpenTelemetryServicesExtensions
{
    /// <summary>Adds the OpenTelemetry SDK to the services; the providers start with the host and are flushed when it is disposed.</summary>
    /// <param name="services">The host's services.</param>
    /// <returns>The builder that <c>WithTracing</c>, <c>WithMetrics</c> and <c>WithLogging</c> extend.</returns>
    public static IOpenTelemetryBuilder AddOpenTelemetry(this IServiceCollection services)
    {
        // First in the list: a provider that starts after the others misses their spans.
        services.Insert(0, ServiceDescriptor.Singleton<IHostedService, TelemetryStart>());
        return new Builder(services);
    }

    private sealed record Builder(IServiceCollection Services) : IOpenTelemetryBuilder;

    private sealed class TelemetryStart(IServiceProvider services) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            _ = services.GetService<TracerProvider>();
            _ = services.GetService<MeterProvider>();
            _ = services.GetService<LoggerProvider>();
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
