using System.Globalization;
using Flurrty.ServiceDefaults.Tickets;
using Flurrty.TrainingService.Driving.Steps;
using Flurrty.TrainingService.Webhooks;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Driving;

internal static class DrivingServices
{
    /// <summary>Adds the loop that moves jobs.</summary>
    public static void AddDriving(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<DrivingOptions>().BindConfiguration(DrivingOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<DrivingOptions>, DrivingOptionsRules>();
        builder.Services.AddHttpClient(DatasetClient.UploadsClient, static client =>
            {
                client.BaseAddress = new Uri("http://uploads/");
                client.Timeout = TimeSpan.FromSeconds(20);
            })
            .AddServiceTicket("uploads");
        builder.Services.AddHttpClient(DatasetClient.StoreClient, static client => client.Timeout = Timeout.InfiniteTimeSpan)
            .ConfigurePrimaryHttpMessageHandler(static () => new SocketsHttpHandler { AllowAutoRedirect = false });
        builder.Services.AddSingleton<DatasetClient>();
        builder.Services.AddSingleton<TrainingMetrics>();
        builder.Services.AddSingleton<JobStore>();
        builder.Services.AddSingleton<Backoff>();
        builder.Services.AddSteps();
        builder.Services.AddSingleton<JobRunner>();
        builder.Services.AddSingleton<WakeListener>();
        builder.Services.AddHostedService<JobDispatch>();
        builder.Services.AddHostedService<WaitingCount>();
        builder.Services.AddHostedService<WebhookEventPruning>();
        builder.Services.AddOptions<HostOptions>().PostConfigure<IConfiguration>(static (host, configuration) =>
        {
            // The host reads this before options are validated, so a wrong value is told with all others.
            var driving = new DrivingOptions();
            var setting = configuration[$"{DrivingOptions.Section}:{nameof(driving.PostTimeout)}"];
            driving.PostTimeout = TimeSpan.TryParse(setting, CultureInfo.InvariantCulture, out var timeout) ? timeout : driving.PostTimeout;
            var needed = JobDispatch.DrainTime(driving);
            host.ShutdownTimeout = host.ShutdownTimeout > needed ? host.ShutdownTimeout : needed;
        });
    }
}
