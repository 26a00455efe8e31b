using System.ComponentModel.DataAnnotations;

namespace Flurrty.TrainingService.Models;

/// <summary>How models are fetched.</summary>
internal sealed class ModelOptions
{
    public const string Section = "Models";

    /// <summary>The largest archive that is fetched, and the largest model in it.</summary>
    [Range(1024, 16L * 1024 * 1024 * 1024)]
    public long MaxBytes { get; set; } = 2L * 1024 * 1024 * 1024;

    /// <summary>Where archives lie while they are checked; the system's place for temporary files when empty.</summary>
    public string TemporaryDirectory { get; set; } = string.Empty;

    /// <summary>How long a URL works that another service fetches a model by.</summary>
    [Range(typeof(TimeSpan), "00:00:10", "01:00:00")]
    public TimeSpan UrlLifetime { get; set; } = TimeSpan.FromMinutes(5);
}
