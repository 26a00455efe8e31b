using Flurrty.TrainingService.Jobs;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Providers.Replicate;

internal static class ReplicateServices
{
    /// <summary>Adds Replicate as a provider, unless its mode is off.</summary>
    public static void AddReplicate(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<ReplicateOptions>()
            .BindConfiguration(ReplicateOptions.Section)
            .PostConfigure(static options =>
            {
                if (options.DeliveryHosts.Count == 0)
                {
                    Array.ForEach(DeliveryHosts.Default, options.DeliveryHosts.Add);
                }
            })
            .ValidateDataAnnotations()
            .ValidateOnStart();
        services.AddSingleton<IValidateOptions<ReplicateOptions>, ReplicateOptionsRules>();
        var mode = ProviderModes.Parse(builder.Configuration[$"{ReplicateOptions.Section}:{nameof(ReplicateOptions.Mode)}"]);
        if (mode == ProviderMode.Off)
        {
            return;
        }

        if (mode == ProviderMode.Live)
        {
            services.AddSingleton(new LiveProvider(ReplicateProvider.ProviderName));
        }

        services.AddBareClient(ReplicateTransport.ApiClient, static () => new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        });
        services.AddBareClient(ReplicateClient.SubmitClient, static () => new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            ConnectTimeout = TimeSpan.FromSeconds(15),

            // A pooled connection may be found closed, and the handler would send the request once more.
            PooledConnectionLifetime = TimeSpan.Zero,
        });
        services.AddBareClient(ReplicateArtifacts.DeliveryClient, static () => new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            ConnectTimeout = TimeSpan.FromSeconds(15),

            // The path of an artifact is a capability; without a propagator the handler makes no span that would show it.
            ActivityHeadersPropagator = null,
        });
        services.AddSingleton<ReplicateTransport>();
        services.AddSingleton<ReplicateClient>();
        services.AddSingleton<ReplicateArtifacts>();
        services.AddSingleton<ReplicateWebhookSecret>();
        services.AddSingleton<ITrainingProvider, ReplicateProvider>();
    }

    /// <summary>Maps what Replicate calls.</summary>
    public static void MapReplicate(this IEndpointRouteBuilder routes) => routes.MapReplicateWebhooks();

    /// <summary>Without the default handlers: what is repeated here is decided here, and timeouts too.</summary>
    private static void AddBareClient(this IServiceCollection services, string name, Func<SocketsHttpHandler> handler) =>
        services.AddHttpClient(name, static client => client.Timeout = Timeout.InfiniteTimeSpan)
            .ConfigurePrimaryHttpMessageHandler(handler)
            .ConfigureAdditionalHttpMessageHandlers(static (handlers, _) => handlers.Clear())
            .RemoveAllLoggers();
}
