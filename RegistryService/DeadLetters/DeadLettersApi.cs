using Flurrty.ServiceDefaults.Tickets;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Flurrty.RegistryService.DeadLetters;

/// <summary>The operator's API of what no consumer could take, over a connection of its own beside the bus's.</summary>
internal static class DeadLettersApi
{
    private static readonly TimeSpan ConnectPatience = TimeSpan.FromSeconds(3);

    public static IHostApplicationBuilder AddDeadLetters(this IHostApplicationBuilder builder)
    {
        builder.AddRabbitMQClient(
            "messaging",
            static settings =>
            {
                // A broker that is away neither holds the start nor makes an answer wait.
                settings.DisableAutoActivation = true;
                settings.MaxConnectRetryCount = 0;

                // Its spans would end the one trace that MassTransit carries on.
                settings.DisableTracing = true;
            },
            static factory =>
            {
                factory.ClientProvidedName = "dead-letters";
                factory.RequestedConnectionTimeout = ConnectPatience;
            });

        // The service stays usable without the broker, and what waits for its health would stop otherwise.
        builder.Services.PostConfigure<HealthCheckServiceOptions>(static options =>
        {
            foreach (var check in options.Registrations.Where(static check => check.Name.StartsWith("RabbitMQ", StringComparison.Ordinal)))
            {
                check.FailureStatus = HealthStatus.Degraded;
            }
        });
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<DeadLetterQueues>();
        return builder;
    }

    public static IEndpointRouteBuilder MapDeadLetters(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/api/operator/dead-letters").WithTags("Operator").RequireAuthorization(TicketPolicies.Operator)
            .ProducesProblem(StatusCodes.Status403Forbidden)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable);
        ListDeadLetters.Map(group);
        ReplayDeadLetter.Map(group);
        DropDeadLetter.Map(group);
        return routes;
    }
}
