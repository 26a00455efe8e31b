using Flurrty.Messaging;
using Flurrty.UploadService.Datasets;
using Flurrty.UploadService.Imaging;
using Flurrty.UploadService.Persistence;
using Flurrty.UploadService.PhotoSets;
using Flurrty.UploadService.Reports;
using Flurrty.UploadService.Storage;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Flurrty.UploadService;

/// <summary>The rooms of this service, one call each.</summary>
internal static class UploadServiceExtensions
{
    public static IHostApplicationBuilder AddImaging(this IHostApplicationBuilder builder)
    {
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddOptions<ImagingOptions>().BindConfiguration("Imaging").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<ImagingPool>();
        builder.Services.AddHostedService(static services => services.GetRequiredService<ImagingPool>());
        return builder;
    }

    public static IHostApplicationBuilder AddPhotoSets(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<PhotoUploadOptions>().BindConfiguration("Uploads").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<IFaceFinder, NoFaceFinder>();
        builder.Services.AddSingleton<PhotoIntake>();
        builder.Services.AddSingleton<PhotoUpload>();
        builder.Services.AddSingleton<RemovalSignal>();
        builder.Services.AddSingleton<RemovalSweeper>();
        builder.Services.AddHostedService(static services => services.GetRequiredService<RemovalSweeper>());
        builder.Services.AddOpenApi(static api => api.AddOperationTransformer<MultipartBodyDescription>());
        return builder;
    }

    public static IHostApplicationBuilder AddDatasets(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<DatasetOptions>().BindConfiguration("Datasets").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<DatasetSignal>();
        builder.Services.AddHostedService<DatasetBuilder>();
        builder.AddFlurrtyMessaging<UploadsContext>(UploadsContext.Name, static bus =>
        {
            _ = bus.AddConsumer<BuildDatasetConsumer>(typeof(BuildDatasetDefinition));
            _ = bus.AddConsumer<ReleaseDatasetConsumer>(typeof(ReleaseDatasetDefinition));
        });
        return builder;
    }
}
