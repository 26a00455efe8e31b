using System.ComponentModel.DataAnnotations;

namespace Flurrty.UploadService.Quotas;

/// <summary>Configuration section <c>Quotas</c>: what one account may keep.</summary>
public sealed class QuotaOptions
{
    /// <summary>Bytes of stored photos and thumbnails, with those of uploads that are under way.</summary>
    [Range(1L, long.MaxValue)]
    public long MaxBytes { get; set; } = 5L * 1024 * 1024 * 1024;

    /// <summary>Photos, with the uploads that are under way.</summary>
    [Range(1, int.MaxValue)]
    public int MaxFiles { get; set; } = 4000;
}
