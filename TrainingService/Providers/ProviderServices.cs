using Flurrty.TrainingService.Providers.Replicate;
using Flurrty.TrainingService.Webhooks;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Providers;

internal static class ProviderServices
{
    /// <summary>Adds every provider, and what is common to all: the installation's id and the checks of their credentials.</summary>
    public static void AddProviders(this IHostApplicationBuilder builder)
    {
        builder.AddReplicate();

        var services = builder.Services;
        services.AddSingleton<ProviderCatalog>();
        services.AddOptions<InstallationOptions>().BindConfiguration(InstallationOptions.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<InstallationOptions>, InstallationOptionsRules>();
        services.AddSingleton<Installation>();
        services.AddHostedService<InstallationNotice>();
        services.AddOptions<AccessChecksOptions>().BindConfiguration(AccessChecksOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<AccessChecks>();
        services.AddHostedService(static provider => provider.GetRequiredService<AccessChecks>());
        services.AddHealthChecks().AddCheck<AccessChecks>("providers");
        services.AddSingleton<IValidateOptions<WebhookOptions>, LiveProviderRules>();
    }

    /// <summary>Maps what can be asked about providers, and what each of them calls.</summary>
    public static void MapProviders(this IEndpointRouteBuilder routes)
    {
        routes.MapProviderList();
        routes.MapEstimates();
        routes.MapReplicate();
    }
}
