using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Flurrty.ServiceDefaults.Hosting;

/// <summary>How a service ends when it is told to.</summary>
internal sealed class ShutdownOptions
{
    public const string Section = "Shutdown";

    /// <summary>
    /// How long requests are still taken after <c>/health</c> has become unhealthy, so that a load balancer looks elsewhere first; 0 to 60 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:01:00")]
    public TimeSpan Notice { get; set; }

    /// <summary>
    /// How long requests that are on the way may take after that, 1 s to 10 min; what ends sooner is not waited for longer.
    /// Whoever runs the service kills it later than after <see cref="Notice"/> and this.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan Drain { get; set; } = TimeSpan.FromSeconds(30);
}

/// <summary>Readiness goes off first; only then the service takes no more requests and ends what is on the way.</summary>
internal sealed class Shutdown(IOptions<ShutdownOptions> options, TimeProvider time) : IHostedLifecycleService, IHealthCheck
{
    private volatile bool _isStopping;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(_isStopping ? HealthCheckResult.Unhealthy("The service is ending.") : HealthCheckResult.Healthy());

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        _isStopping = true;
        await Task.Delay(options.Value.Notice, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

internal static class ShutdownServices
{
    public static void AddShutdown(this IServiceCollection services)
    {
        services.AddOptions<ShutdownOptions>().BindConfiguration(ShutdownOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        services.AddOptions<HostOptions>().Configure<IConfiguration>(static (host, configuration) =>
        {
            // The host reads this before options are validated, so a wrong value is told with all others.
            var usual = new ShutdownOptions();
            host.ShutdownTimeout = Read(nameof(usual.Notice), usual.Notice) + Read(nameof(usual.Drain), usual.Drain);

            TimeSpan Read(string name, TimeSpan otherwise) =>
                TimeSpan.TryParse(configuration[$"{ShutdownOptions.Section}:{name}"], CultureInfo.InvariantCulture, out var given) && given >= TimeSpan.Zero ? given : otherwise;

            // What works in the background gives its rows back while requests are still ended.
            host.ServicesStopConcurrently = true;
        });
        services.AddSingleton<Shutdown>();
        services.AddHostedService(static provider => provider.GetRequiredService<Shutdown>());
        services.AddHealthChecks().AddCheck<Shutdown>("shutdown");
    }
}
