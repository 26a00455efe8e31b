using Flurrty.ImagingChild;

namespace Flurrty.UploadService.PhotoSets;

/// <summary>An accepted photo: its normalised JPEG and its thumbnail are in the store before this row exists.</summary>
internal sealed class Photo
{
    public const int LongestFileName = 200;
    public const int LongestCaption = 1000;

    public required Guid Id { get; init; }

    public required Guid AccountId { get; init; }

    public required Guid PhotoSetId { get; init; }

    /// <summary>What the sender called the file, cleaned; shown to the person, never used as a path.</summary>
    public string? FileName { get; init; }

    /// <summary>SHA-256 of the bytes that were sent, lower-case hex: the same file is stored once in a set.</summary>
    public required string SourceSha256 { get; init; }

    public required long SourceBytes { get; init; }

    public required string SourceFormat { get; init; }

    public required int SourceWidth { get; init; }

    public required int SourceHeight { get; init; }

    /// <summary>SHA-256 of the stored JPEG, lower-case hex.</summary>
    public required string Sha256 { get; init; }

    /// <summary>CRC-32 of the stored JPEG: a zip's local header needs it before the bytes.</summary>
    public required long Crc32 { get; init; }

    public required long Bytes { get; init; }

    public required long ThumbnailBytes { get; init; }

    /// <summary>Bytes of the kept original; 0 when it is not kept.</summary>
    public long OriginalBytes { get; init; }

    public required int Width { get; init; }

    public required int Height { get; init; }

    /// <summary>What was measured on it; null for a photo from before photos were measured.</summary>
    public PhotoMeasures? Measures { get; init; }

    public string? Caption { get; set; }

    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>When its object was last looked for in the store.</summary>
    public DateTimeOffset CheckedAt { get; init; }

    /// <summary>Since when its object was not found in the store.</summary>
    public DateTimeOffset? MissingSince { get; init; }
}
