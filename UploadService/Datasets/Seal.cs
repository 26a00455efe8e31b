namespace Flurrty.UploadService.Datasets;

/// <summary>Where the dataset of a seal stands.</summary>
internal enum DatasetState
{
    /// <summary>Nobody asked for it yet.</summary>
    None,

    /// <summary>It is to be built.</summary>
    Requested,

    /// <summary>It is stored.</summary>
    Built,

    /// <summary>It cannot be built.</summary>
    Refused,

    /// <summary>It is no longer needed.</summary>
    Released,
}

/// <summary>A frozen copy of a photo set for one version of an identity; its id is the version's.</summary>
internal sealed class Seal
{
    public required Guid Id { get; init; }

    public required Guid AccountId { get; init; }

    /// <summary>The set that was sealed; it may be gone by now.</summary>
    public required Guid PhotoSetId { get; init; }

    public required string TriggerWord { get; init; }

    public required int PhotoCount { get; init; }

    public required Guid ThumbnailPhotoId { get; init; }

    /// <summary>The agreement under which it was made; null for seals that are older than consents.</summary>
    public Guid? ConsentId { get; init; }

    public DateTimeOffset CreatedAt { get; init; }

    public DatasetState State { get; set; }

    public Guid? DatasetId { get; set; }

    /// <summary>When its dataset was built or reported anew.</summary>
    public DateTimeOffset? BuiltAt { get; set; }

    public string? RefusalCode { get; set; }

    /// <summary>The request that asked for the dataset, passed on with the answer.</summary>
    public Guid CausedBy { get; set; }

    /// <summary>The latest revision that a message brought.</summary>
    public long Revision { get; set; }

    /// <summary>W3C trace context of the request, so that building it shows in its trace.</summary>
    public string? TraceParent { get; set; }

    /// <summary>Until when a builder has it, by the database's clock.</summary>
    public DateTimeOffset? ClaimedUntil { get; set; }

    /// <summary>Grows with each claim; only the latest claimant may record its result.</summary>
    public int Claims { get; set; }
}

/// <summary>One photo of a seal, in the order of the dataset.</summary>
internal sealed class SealedPhoto
{
    public required Guid SealId { get; init; }

    public required int Position { get; init; }

    public required Guid AccountId { get; init; }

    public required Guid PhotoId { get; init; }

    public required string ObjectKey { get; init; }

    public required long Bytes { get; init; }

    public required string Sha256 { get; init; }

    public required long Crc32 { get; init; }

    public required string Caption { get; init; }
}

/// <summary>A stored zip. Seals with the same photos and captions share it.</summary>
internal sealed class Dataset
{
    public required Guid Id { get; init; }

    public required Guid AccountId { get; init; }

    /// <summary>Hash of everything that decides the zip's bytes.</summary>
    public required string ContentSha256 { get; init; }

    public required string ObjectKey { get; init; }

    public required long Bytes { get; init; }

    public required string Sha256 { get; init; }

    public required int Photos { get; init; }

    public DateTimeOffset BuiltAt { get; init; }
}
