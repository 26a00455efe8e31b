namespace Flurrty.Contracts.Training;

/// <summary>Command: train this version. A repeat makes TrainingService report where the job stands.</summary>
public sealed record TrainIdentity
{
    /// <summary>The account that the receiver acts as.</summary>
    public required Guid AccountId { get; init; }

    /// <summary>The request that caused this message, as it stands in the traces.</summary>
    public required Guid CausedBy { get; init; }

    /// <summary>The training job; the same id as its version and its sealed photo set.</summary>
    public required Guid JobId { get; init; }

    /// <summary>Grows with each change of the job. A receiver ignores an older one.</summary>
    public required long Revision { get; init; }

    /// <summary>The identity that the version belongs to.</summary>
    public required Guid IdentityId { get; init; }

    /// <summary>A provider by name, or <c>auto</c>.</summary>
    public required string Provider { get; init; }

    /// <summary>The trainer at the provider; null takes the default of the preset.</summary>
    public string? Trainer { get; init; }

    /// <summary>Preset: economy, standard, high or portrait.</summary>
    public required string Preset { get; init; }

    /// <summary>Training steps, 3 to 6000.</summary>
    public required int Steps { get; init; }

    /// <summary>LoRA rank, 1 to 128.</summary>
    public required int Rank { get; init; }

    /// <summary>Learning rate; null takes the default of the provider.</summary>
    public double? LearningRate { get; init; }

    /// <summary>Comma list of side lengths in pixels, such as <c>512,768,1024</c>.</summary>
    public required string Resolution { get; init; }
}
