namespace Flurrty.UploadService.PhotoSets;

/// <summary>A person's collection of photos of somebody. It stays editable; a training gets a sealed copy.</summary>
internal sealed class PhotoSet
{
    public const int LongestName = 100;

    /// <summary>Photos that a training needs at least.</summary>
    public const int FewestPhotos = 3;

    /// <summary>Photos that a set holds at most.</summary>
    public const int MostPhotos = 40;

    public required Guid Id { get; init; }

    public required Guid AccountId { get; init; }

    public required string Name { get; set; }

    /// <summary>Whether the files that were sent are kept beside the photos made of them.</summary>
    public bool KeepsOriginals { get; init; }

    public DateTimeOffset CreatedAt { get; init; }
}
