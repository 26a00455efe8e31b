using Flurrty.ImagingChild;

namespace Flurrty.UploadService.Imaging;

internal sealed partial class ImagingPool
{
    [LoggerMessage(3001, LogLevel.Information, "Imaging children are ready: libvips {Version}, confinement {Confinement}")]
    private static partial void LogReady(ILogger logger, Version version, Confinement confinement);

    [LoggerMessage(3002, LogLevel.Warning, "Namespaces are denied here, so photos are decoded without a sandbox; outside Development the service would not start. {Reasons}")]
    private static partial void LogUnconfined(ILogger logger, string reasons);

    [LoggerMessage(3003, LogLevel.Debug, "A photo was refused as {Refusal}: {Reason}")]
    private static partial void LogRefused(ILogger logger, PhotoRefusal refusal, string reason);

    [LoggerMessage(3004, LogLevel.Warning, "An imaging child was lost with its photo: {Reason}")]
    private static partial void LogLost(ILogger logger, string reason);

    [LoggerMessage(3005, LogLevel.Error, "An imaging child cannot be started: {Reason}")]
    private static partial void LogNotStarted(ILogger logger, string reason);

    [LoggerMessage(3006, LogLevel.Warning, "An imaging child had ended while it had nothing to do")]
    private static partial void LogGone(ILogger logger);
}
