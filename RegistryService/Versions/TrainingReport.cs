namespace Flurrty.RegistryService.Versions;

/// <summary>What TrainingService says about a version's training, whether it came as a message or as an answer.</summary>
internal sealed record TrainingReport(Guid VersionId, long Revision, VersionStatus Status)
{
    public string? Stage { get; init; }

    public int? Progress { get; init; }

    public DateTimeOffset? EstimatedCompletion { get; init; }

    public string? Provider { get; init; }

    /// <summary>What somebody must mend at the provider before the training goes on.</summary>
    public string? WaitingReason { get; init; }

    public DateTimeOffset? WaitingUntil { get; init; }

    public TrainingFailure? Failure { get; init; }

    public TrainedModel? Model { get; init; }
}

/// <summary>Why a training failed.</summary>
internal sealed record TrainingFailure(string Category, string Code, bool Retryable);

/// <summary>The model that a training gave.</summary>
internal sealed record TrainedModel(long Bytes, string Sha256, DateTimeOffset TrainedAt);
