namespace Flurrty.Contracts.Uploads;

/// <summary>Event: the dataset is stored and can be fetched.</summary>
public sealed record DatasetBuilt
{
    /// <summary>The account that the receiver acts as.</summary>
    public required Guid AccountId { get; init; }

    /// <summary>The request that caused this message, as it stands in the traces.</summary>
    public required Guid CausedBy { get; init; }

    /// <summary>The training job; the same id as its version and its sealed photo set.</summary>
    public required Guid JobId { get; init; }

    /// <summary>Grows with each change of the job. A receiver ignores an older one.</summary>
    public required long Revision { get; init; }

    /// <summary>Number of photos, 3 to 40.</summary>
    public required int Photos { get; init; }

    /// <summary>Size of the zip in bytes.</summary>
    public required long Bytes { get; init; }

    /// <summary>SHA-256 of the zip, lower-case hex.</summary>
    public required string Sha256 { get; init; }
}
