using System.ComponentModel.DataAnnotations;

namespace Flurrty.UploadService.ResumableUploads;

/// <summary>Configuration section <c>ResumableUploads</c>.</summary>
public sealed class ResumableUploadOptions
{
    /// <summary>How long an upload may take from its first request to its last.</summary>
    [Range(typeof(TimeSpan), "00:05:00", "7.00:00:00")]
    public TimeSpan Lifetime { get; set; } = TimeSpan.FromHours(24);

    /// <summary>Bytes of a part in the store. What is kept in memory of one request is one part.</summary>
    [Range(64 * 1024, 16 * 1024 * 1024)]
    public int PartBytes { get; set; } = 2 * 1024 * 1024;

    /// <summary>Requests of the whole process whose bytes are received at a time; others wait.</summary>
    [Range(1, 1024)]
    public int ConcurrentRequests { get; set; } = 32;

    /// <summary>How long what has been received of a broken request may take to be stored.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan StoreTimeout { get; set; } = TimeSpan.FromSeconds(30);
}
