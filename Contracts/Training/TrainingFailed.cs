namespace Flurrty.Contracts.Training;

/// <summary>Event: the job ended without a LoRA.</summary>
public sealed record TrainingFailed
{
    /// <summary>The account that the receiver acts as.</summary>
    public required Guid AccountId { get; init; }

    /// <summary>The request that caused this message, as it stands in the traces.</summary>
    public required Guid CausedBy { get; init; }

    /// <summary>The training job; the same id as its version and its sealed photo set.</summary>
    public required Guid JobId { get; init; }

    /// <summary>Grows with each change of the job. A receiver ignores an older one.</summary>
    public required long Revision { get; init; }

    /// <summary>Category: network, authentication, payment, validation, rate_limit, capacity, service_error, file_error, timeout, canceled or unknown_run.</summary>
    public required string Category { get; init; }

    /// <summary>Stable failure code, such as <c>provider_payment_required</c>.</summary>
    public required string Code { get; init; }

    /// <summary>Whether a retry may succeed without a change.</summary>
    public required bool Retryable { get; init; }
}
