using System.ComponentModel.DataAnnotations;

namespace Flurrty.UploadService.DirectUploads;

/// <summary>Configuration section <c>DirectUploads</c>.</summary>
public sealed class DirectUploadOptions
{
    /// <summary>How long a presigned URL takes a file.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "01:00:00")]
    public TimeSpan UrlLifetime { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>How long an upload may be completed, and a completed one gives its answer again.</summary>
    [Range(typeof(TimeSpan), "00:05:00", "1.00:00:00")]
    public TimeSpan Lifetime { get; set; } = TimeSpan.FromHours(1);
}
