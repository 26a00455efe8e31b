using System.ComponentModel.DataAnnotations;

namespace Flurrty.UploadService.Datasets;

/// <summary>Configuration section <c>Datasets</c>.</summary>
public sealed class DatasetOptions
{
    /// <summary>Datasets that this process builds at a time.</summary>
    [Range(1, 64)]
    public int ConcurrentBuilds { get; set; } = 8;

    /// <summary>How long a presigned URL of a dataset works.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "7.00:00:00")]
    public TimeSpan UrlLifetime { get; set; } = TimeSpan.FromHours(2);
}
