using System.Diagnostics;
using System.Diagnostics.Metrics;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Flurrty.Messaging;

/// <summary>Registers the bus with its outbox and inbox.</summary>
public static class MessagingExtensions
{
    internal static readonly ActivitySource Source = new("Flurrty.Messaging");

    private static readonly Meter Meter = new("Flurrty.Messaging");

    internal static readonly Counter<long> SetAside = Meter.CreateCounter<long>(
        "flurrty.outbox.set_aside", "{message}", "Messages of the outbox that could not be sent for a reason of their own.");

    /// <summary>
    /// Adds MassTransit over RabbitMQ (<c>ConnectionStrings:messaging</c>), the <see cref="Outbox"/> over <typeparamref name="TContext"/> and its delivery.
    /// While the broker is away the service stays usable and messages wait in the outbox.
    /// </summary>
    /// <param name="builder">The host.</param>
    /// <param name="name">Name of the service, the prefix of its event queues.</param>
    /// <param name="configure">Adds the service's consumers.</param>
    public static IHostApplicationBuilder AddFlurrtyMessaging<TContext>(this IHostApplicationBuilder builder, string name, Action<IBusRegistrationConfigurator>? configure = null)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(builder);
        var connection = builder.Configuration.GetConnectionString("messaging") ?? throw new InvalidOperationException("ConnectionStrings:messaging is missing.");
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<OutboxSignal>();
        builder.Services.AddSingleton<OutboxCommitInterceptor>();
        builder.Services.AddSingleton(services => new Outbox(services.GetRequiredService<OutboxSignal>()));
        builder.Services.ConfigureDbContext<TContext>((services, options) => options.AddInterceptors(services.GetRequiredService<OutboxCommitInterceptor>()));
        builder.Services.AddHostedService<OutboxDelivery<TContext>>();
        builder.Services.AddMassTransit(bus =>
        {
            bus.DisableUsageTelemetry();
            bus.SetEndpointNameFormatter(new KebabCaseEndpointNameFormatter(name, includeNamespace: false));
            bus.ConfigureHealthCheckOptions(health => health.MinimalFailureStatus = HealthStatus.Degraded);
            bus.AddConfigureEndpointsCallback(static (_, endpoint) =>
                endpoint.UseMessageRetry(static retry => retry.Exponential(5, TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(5), TimeSpan.FromMilliseconds(300))));
            bus.AddConsumer<UndeliveredMessageConsumer>();
            configure?.Invoke(bus);
            bus.UsingRabbitMq((context, rabbit) =>
            {
                rabbit.Host(new Uri(connection));
                rabbit.ConfigureEndpoints(context);
            });
        });
        return builder;
    }
}
