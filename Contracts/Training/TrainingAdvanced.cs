namespace Flurrty.Contracts.Training;

/// <summary>Event: the job moved or made progress.</summary>
public sealed record TrainingAdvanced
{
    /// <summary>The account that the receiver acts as.</summary>
    public required Guid AccountId { get; init; }

    /// <summary>The request that caused this message, as it stands in the traces.</summary>
    public required Guid CausedBy { get; init; }

    /// <summary>The training job; the same id as its version and its sealed photo set.</summary>
    public required Guid JobId { get; init; }

    /// <summary>Grows with each change of the job. A receiver ignores an older one.</summary>
    public required long Revision { get; init; }

    /// <summary>The state of the job, such as <c>preparing</c> or <c>training</c>.</summary>
    public required string Stage { get; init; }

    /// <summary>Progress of the whole job, 0 to 100.</summary>
    public required int Progress { get; init; }

    /// <summary>The attempt at work, from 1; 0 before the first.</summary>
    public required int Attempt { get; init; }

    /// <summary>The provider at work; null before one was chosen.</summary>
    public string? Provider { get; init; }

    /// <summary>When the job is expected to end; null when unknown.</summary>
    public DateTimeOffset? EstimatedCompletion { get; init; }

    /// <summary>What somebody must mend at the provider before the job goes on: <c>credentials_refused</c> or <c>payment_required</c>; null while nothing is in its way.</summary>
    public string? WaitingReason { get; init; }

    /// <summary>When that waiting ends in a failure.</summary>
    public DateTimeOffset? WaitingUntil { get; init; }
}
