using Flurrty.Messaging;
using Flurrty.UploadService.Consents;
using Flurrty.UploadService.Datasets;
using Flurrty.UploadService.DirectUploads;
using Flurrty.UploadService.Imaging;
using Flurrty.UploadService.Persistence;
using Flurrty.UploadService.PhotoSets;
using Flurrty.UploadService.Quotas;
using Flurrty.UploadService.Reports;
using Flurrty.UploadService.ResumableUploads;
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
        builder.Services.AddOptions<QuotaOptions>().BindConfiguration("Quotas").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<PhotoSlots>();
        builder.Services.AddSingleton<IFaceFinder, NoFaceFinder>();
        builder.Services.AddSingleton<PhotoIntake>();
        builder.Services.AddSingleton<PhotoUpload>();
        builder.Services.AddSingleton<ThumbnailRepair>();
        builder.Services.AddOptions<DirectUploadOptions>().BindConfiguration("DirectUploads").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<QuarantineIntake>();
        builder.Services.AddOptions<ResumableUploadOptions>().BindConfiguration("ResumableUploads").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<ResumableReceiver>();
        builder.Services.AddSingleton<RemovalSignal>();
        builder.Services.AddSingleton<RemovalSweeper>();
        builder.Services.AddHostedService(static services => services.GetRequiredService<RemovalSweeper>());
        builder.Services.AddSingleton<ExpirySweeper>();
        builder.Services.AddHostedService(static services => services.GetRequiredService<ExpirySweeper>());
        builder.Services.AddOptions<StoreAuditOptions>().BindConfiguration("StoreAudit").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<StoreAudit>();
        builder.Services.AddHostedService(static services => services.GetRequiredService<StoreAudit>());
        builder.Services.AddOpenApi(static api => api.AddOperationTransformer<MultipartBodyDescription>());
        return builder;
    }

    public static IHostApplicationBuilder AddConsents(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<ConsentOptions>().BindConfiguration("Consents").ValidateDataAnnotations().ValidateOnStart();
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
