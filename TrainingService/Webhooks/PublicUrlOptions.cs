using System.ComponentModel.DataAnnotations;

namespace Flurrty.TrainingService.Webhooks;

/// <summary>How it is tried whether providers could reach us at <c>PublicBaseUrl</c>.</summary>
internal sealed class PublicUrlOptions
{
    public const string Section = "PublicUrl";

    [Range(typeof(TimeSpan), "00:00:00.1", "00:02:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The wait between tries while <see cref="StartTimeout"/> lasts; later waits double from it.</summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "00:10:00")]
    public TimeSpan Pause { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Until then silence and errors are put down to a gateway or tunnel that starts later than this service.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan StartTimeout { get; set; } = TimeSpan.FromMinutes(2);

    [Range(typeof(TimeSpan), "00:00:00.01", "1.00:00:00")]
    public TimeSpan MaxPause { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>The wait after it was seen to work.</summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "1.00:00:00")]
    public TimeSpan Recheck { get; set; } = TimeSpan.FromMinutes(10);
}
