namespace Flurrty.Contracts.Training;

/// <summary>Event: the LoRA is checked and stored.</summary>
public sealed record TrainingSucceeded
{
    /// <summary>The account that the receiver acts as.</summary>
    public required Guid AccountId { get; init; }

    /// <summary>The request that caused this message, as it stands in the traces.</summary>
    public required Guid CausedBy { get; init; }

    /// <summary>The training job; the same id as its version and its sealed photo set.</summary>
    public required Guid JobId { get; init; }

    /// <summary>Grows with each change of the job. A receiver ignores an older one.</summary>
    public required long Revision { get; init; }

    /// <summary>The provider that trained it.</summary>
    public required string Provider { get; init; }

    /// <summary>Size of the stored file in bytes.</summary>
    public required long ModelBytes { get; init; }

    /// <summary>SHA-256 of the stored file, lower-case hex.</summary>
    public required string ModelSha256 { get; init; }

    /// <summary>When the provider finished.</summary>
    public required DateTimeOffset TrainedAt { get; init; }
}
