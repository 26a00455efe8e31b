using System.ComponentModel.DataAnnotations;

namespace Flurrty.UploadService.PhotoSets;

/// <summary>Configuration section <c>Uploads</c>: what one caller may send and what the process holds at once.</summary>
public sealed class PhotoUploadOptions
{
    /// <summary>Largest file that is accepted as a photo, in bytes.</summary>
    [Range(1024, 256 * 1024 * 1024)]
    public int MaxPhotoBytes { get; set; } = 20 * 1024 * 1024;

    /// <summary>Files that one request may carry; more are refused unread.</summary>
    [Range(1, 1000)]
    public int MaxFilesPerRequest { get; set; } = 100;

    /// <summary>Photos of one request that are received, decoded or stored at a time.</summary>
    [Range(1, 64)]
    public int ConcurrentPhotosPerRequest { get; set; } = 4;

    /// <summary>Photos of the whole process that are received, decoded or stored at a time: it bounds the memory.</summary>
    [Range(1, 1024)]
    public int ConcurrentPhotos { get; set; } = 24;

    /// <summary>How long one photo may take to arrive.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan ReceiveTimeout { get; set; } = TimeSpan.FromMinutes(2);
}
