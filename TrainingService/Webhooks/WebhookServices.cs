using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Webhooks;

internal static class WebhookServices
{
    /// <summary>Adds the addresses that providers are given, and what receives their calls.</summary>
    public static void AddWebhooks(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<WebhookOptions>()
            .Configure<IConfiguration>(static (options, configuration) =>
                options.PublicBaseUrl = configuration["PublicBaseUrl"] is { Length: > 0 } url ? new Uri(url, UriKind.RelativeOrAbsolute) : null)
            .ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<WebhookOptions>, WebhookOptionsRules>();
        builder.Services.AddSingleton<WebhookAddress>();
        builder.Services.AddOptions<PublicUrlOptions>().BindConfiguration(PublicUrlOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddHttpClient(PublicUrl.HttpClientName, static client => client.Timeout = Timeout.InfiniteTimeSpan)
            .ConfigurePrimaryHttpMessageHandler(static () => new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                UseCookies = false,

                // No span of its own: it belongs to no request.
                ActivityHeadersPropagator = null,
            })
            .ConfigureAdditionalHttpMessageHandlers(static (handlers, _) => handlers.Clear())
            .RemoveAllLoggers();
        builder.Services.AddSingleton<WebhookSlots>();
        builder.Services.AddScoped<WebhookReceiver>();
        builder.Services.AddSingleton<PublicUrl>();
        builder.Services.AddHostedService(static services => services.GetRequiredService<PublicUrl>());
    }
}
