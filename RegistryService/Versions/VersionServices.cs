using Flurrty.Messaging;
using Flurrty.RegistryService.Persistence;
using Flurrty.ServiceDefaults.Tickets;
using MassTransit;

namespace Flurrty.RegistryService.Versions;

/// <summary>What keeps versions in step with their trainings.</summary>
internal static class VersionServices
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public static IHostApplicationBuilder AddVersions(this IHostApplicationBuilder builder)
    {
        builder.AddFlurrtyMessaging<RegistryDbContext>(RegistryDbContext.DatabaseName, bus =>
        {
            bus.AddConsumer<TrainingAdvancedConsumer, TrainingAdvancedConsumer.Definition>();
            bus.AddConsumer<TrainingSucceededConsumer, TrainingSucceededConsumer.Definition>();
            bus.AddConsumer<TrainingFailedConsumer, TrainingFailedConsumer.Definition>();
            bus.AddConsumer<TrainingCanceledConsumer, TrainingCanceledConsumer.Definition>();
        });
        builder.Services.AddOptions<ReconcilerOptions>().BindConfiguration(ReconcilerOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<VersionProgress>();
        builder.Services
            .AddHttpClient<TrainingClient>(client =>
            {
                client.BaseAddress = new Uri($"http://{TrainingClient.Service}");
                client.Timeout = Patience;
            })
            .AddServiceTicket(TrainingClient.Service);
        builder.Services.AddHostedService<Reconciler>();
        return builder;
    }
}
