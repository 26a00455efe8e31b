using System.ComponentModel.DataAnnotations;

namespace Flurrty.TrainingService.Providers;

/// <summary>How often it is checked that the providers let us in.</summary>
internal sealed class AccessChecksOptions
{
    public const string Section = "AccessChecks";

    /// <summary>A provider that has not answered by then counts as unreachable.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:02:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Waits for an unreachable provider double from this.</summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "00:10:00")]
    public TimeSpan FirstPause { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>The limit of these waits, and the wait after a refusal: a key may be made valid at the provider.</summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "01:00:00")]
    public TimeSpan MaxPause { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>The wait after a credential was accepted.</summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "1.00:00:00")]
    public TimeSpan Recheck { get; set; } = TimeSpan.FromMinutes(15);
}
