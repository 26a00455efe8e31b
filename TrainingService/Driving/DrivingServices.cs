using Flurrty.ServiceDefaults.Tickets;
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
        builder.Services.AddSingleton<JobRunner>();
        builder.Services.AddSingleton<WakeListener>();
        builder.Services.AddHostedService<JobDispatch>();
        builder.Services.AddHostedService<WaitingCount>();
        builder.Services.AddOptions<HostOptions>().PostConfigure<IOptions<DrivingOptions>>(static (host, driving) =>
        {
            var needed = JobDispatch.DrainTime(driving.Value);
            host.ShutdownTimeout = host.ShutdownTimeout > needed ? host.ShutdownTimeout : needed;
        });
    }
}
