using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Providers;

internal static class ProviderServices
{
    /// <summary>Adds what is common to all providers: the installation's id and the checks of their credentials.</summary>
    public static void AddProviders(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<InstallationOptions>().BindConfiguration(InstallationOptions.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<InstallationOptions>, InstallationOptionsRules>();
        services.AddSingleton<Installation>();
        services.AddHostedService<InstallationNotice>();
        services.AddOptions<AccessChecksOptions>().BindConfiguration(AccessChecksOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<AccessChecks>();
        services.AddHostedService(static provider => provider.GetRequiredService<AccessChecks>());
        services.AddHealthChecks().AddCheck<AccessChecks>("providers");
    }
}
