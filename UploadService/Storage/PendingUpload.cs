using Flurrty.UploadService.PhotoSets;

namespace Flurrty.UploadService.Storage;

/// <summary>How a photo is on its way.</summary>
internal enum UploadWay
{
    /// <summary>Put into the store by the sender, with a presigned URL.</summary>
    Direct,

    /// <summary>Sent in pieces by the tus protocol.</summary>
    Resumable,
}

/// <summary>
/// A photo that is on its way by more than one request. Its bytes lie in quarantine below <see cref="ObjectKeys.Quarantine"/>, whose
/// removal is scheduled from the start. The row stays until it expires, so that a repeated request gets the same answer.
/// </summary>
internal sealed class PendingUpload
{
    public const int LongestContentType = 100;

    public required Guid Id { get; init; }

    public required Guid AccountId { get; init; }

    public required Guid PhotoSetId { get; init; }

    public required UploadWay Way { get; init; }

    public string? FileName { get; init; }

    public string? ContentType { get; init; }

    /// <summary>What the sender of a resumable upload said about it, as it was sent: the protocol gives it back.</summary>
    public string? Metadata { get; init; }

    /// <summary>How many bytes were promised.</summary>
    public required long Bytes { get; init; }

    /// <summary>SHA-256 that was promised, lower-case hex; always there for a direct upload.</summary>
    public string? Sha256 { get; init; }

    /// <summary>How many bytes of a resumable upload are stored.</summary>
    public long Received { get; set; }

    /// <summary>Counts the requests that have written to it; only the latest may add to it.</summary>
    public int Writes { get; set; }

    /// <summary>Of each stored part, the write that stored it: it is in the part's key, so that no writer can overwrite another's.</summary>
    public int[] Parts { get; set; } = [];

    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>From then on it is gone, by the database's clock.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>The photo that it became.</summary>
    public Guid? PhotoId { get; set; }

    /// <summary>Why it was refused.</summary>
    public PhotoProblem? Refusal { get; set; }

    /// <summary>Set while a sweeper deletes the row.</summary>
    public DateTimeOffset? ClaimedUntil { get; set; }

    /// <summary>Whether it came to an end, good or bad.</summary>
    public bool IsDone => PhotoId is not null || Refusal is not null;
}
