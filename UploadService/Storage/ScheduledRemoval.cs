namespace Flurrty.UploadService.Storage;

/// <summary>
/// An object that will be removed when it is due, unless a row refers to it by then. Written before an object is put and deleted
/// with the commit of its row, so that no crash leaves an object behind; written also when a row is deleted.
/// </summary>
internal sealed class ScheduledRemoval
{
    /// <summary>How long an upload or a dataset may take from its first byte in the store to its row.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromMinutes(30);

    public required Guid Id { get; init; }

    public required Guid AccountId { get; init; }

    public required string ObjectKey { get; init; }

    /// <summary>The photo that the object belongs to, if it is one of a photo.</summary>
    public Guid? PhotoId { get; init; }

    public required DateTimeOffset DueAt { get; set; }

    /// <summary>Set while a sweeper removes the object: from then on no row may refer to it.</summary>
    public DateTimeOffset? ClaimedUntil { get; set; }
}
