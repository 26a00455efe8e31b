namespace Flurrty.TrainingService.Jobs;

/// <summary>The training of one version. Its id is the version's.</summary>
internal sealed class Job
{
    public required Guid Id { get; init; }

    public required Guid AccountId { get; init; }

    public Guid IdentityId { get; init; }

    public Guid CausedBy { get; init; }

    /// <summary>Trace context of the command that started it; its later work belongs to the same trace.</summary>
    public string? TraceParent { get; init; }

    public JobState State { get; set; }

    /// <summary>Grows with each change that others are told of; also the expected version of an update.</summary>
    public long Revision { get; set; }

    public int Progress { get; set; }

    public required string RequestedProvider { get; init; }

    public string? Provider { get; set; }

    /// <summary>
    /// The provider's mode when the job was given to it. A job never goes on in another: what was begun in the Sandbox is not bought for money.
    /// </summary>
    public ProviderMode? ProviderMode { get; set; }

    public string? Trainer { get; init; }

    public required string Preset { get; init; }

    public int Steps { get; init; }

    public int Rank { get; init; }

    public double? LearningRate { get; init; }

    public required string Resolution { get; init; }

    /// <summary>Number of the attempt at work; 0 before the first.</summary>
    public int AttemptNumber { get; set; }

    /// <summary>Attempts that were made before the last retry was asked for.</summary>
    public int AttemptsBeforeRetry { get; set; }

    /// <summary>Revision of the newest retry command that was obeyed.</summary>
    public long RetryRevision { get; set; }

    public int StageNumber { get; set; }

    public DateTimeOffset StateSince { get; set; }

    /// <summary>Failures in a row within the present state.</summary>
    public FailureCounts Failures { get; init; } = new();

    /// <summary>What somebody must mend before it can go on; null while nothing is in its way.</summary>
    public WaitingReason? WaitingReason { get; set; }

    public DateTimeOffset? WaitingSince { get; set; }

    /// <summary>When the waiting ends in a failure.</summary>
    public DateTimeOffset? WaitingUntil { get; set; }

    public DateTimeOffset? DatasetAskedAt { get; set; }

    public bool DatasetReady { get; set; }

    public string? DatasetRefusedCode { get; set; }

    public int DatasetPhotos { get; set; }

    public long DatasetBytes { get; set; }

    public DateTimeOffset? CancelRequestedAt { get; set; }

    public string? FailureCategory { get; set; }

    public string? FailureCode { get; set; }

    public bool FailureRetryable { get; set; }

    public string? FailureDetail { get; set; }

    public string? ModelKey { get; set; }

    public long? ModelBytes { get; set; }

    public string? ModelSha256 { get; set; }

    /// <summary>What is odd about the model though it is valid, such as <c>training_did_nothing</c>.</summary>
    public string? ModelWarning { get; set; }

    public DateTimeOffset? TrainedAt { get; set; }

    public DateTimeOffset? EstimatedCompletion { get; set; }

    public DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset UpdatedAt { get; set; }

    /// <summary>Fences the writes of a process that lost its lease: every write names the number it was given.</summary>
    public long LeaseNumber { get; set; }

    public Guid? LeaseOwner { get; set; }

    public int? LeaseInstance { get; set; }

    public DateTimeOffset? LeaseUntil { get; set; }

    /// <summary>When the driver looks again; null once there is nothing left to do.</summary>
    public DateTimeOffset? NextLookAt { get; set; }

    /// <summary>Counts the reasons to look sooner, so that one that comes during a look is not lost.</summary>
    public long Wakes { get; set; }

    public bool CancelRequested => CancelRequestedAt is not null;

    /// <summary>What is to be trained. The trigger word may be a name and is kept nowhere here.</summary>
    public TrainingParameters Parameters(string triggerWord) => new()
    {
        Trainer = Trainer,
        Steps = Steps,
        Rank = Rank,
        LearningRate = LearningRate,
        Resolution = Resolution,
        TriggerWord = triggerWord,
    };
}

/// <summary>One intent to buy one run at one provider, written down before anything is sent.</summary>
internal sealed class Attempt
{
    public required Guid Id { get; init; }

    public required Guid AccountId { get; init; }

    public required Guid JobId { get; init; }

    public required int Number { get; init; }

    public required string Provider { get; init; }

    public AttemptState State { get; set; }

    /// <summary>The attempt's own file: by it a run can be found whose answer never arrived.</summary>
    public string? InputId { get; set; }

    public string? InputLocation { get; set; }

    public DateTimeOffset? InputDeletedAt { get; set; }

    public string? Destination { get; set; }

    public string? TrainerVersion { get; set; }

    /// <summary>How many requests for a run were sent; each but the last was refused with proof.</summary>
    public int Posts { get; set; }

    /// <summary>Whether a request was refused because the destination did not exist; that is put right once.</summary>
    public bool DestinationMissing { get; set; }

    public DateTimeOffset? FirstPostedAt { get; set; }

    public DateTimeOffset? PostedAt { get; set; }

    /// <summary>From then on the request cannot be on its way from a process that keeps its timeout.</summary>
    public DateTimeOffset? PostDeadlineAt { get; set; }

    /// <summary>Complete reads of the provider's list, after that and a wait, in which no run of ours was.</summary>
    public int AbsentReads { get; set; }

    public byte[]? WebhookTokenHash { get; set; }

    public string? RunId { get; set; }

    public string? ProviderStatus { get; set; }

    public DateTimeOffset? LookedAt { get; set; }

    public DateTimeOffset? RunStartedAt { get; set; }

    public DateTimeOffset? RunEndedAt { get; set; }

    public int? Step { get; set; }

    public long LogBytes { get; set; }

    /// <summary>Why we ask the provider to end the run, such as a timeout; null when the caller did.</summary>
    public string? StopReason { get; set; }

    public DateTimeOffset? StopAskedAt { get; set; }

    public string? OutputVersion { get; set; }

    /// <summary>Whether its run left nothing that can still be fetched or used, so that a retry must train again.</summary>
    public bool IsSpent { get; set; }

    public double? BilledSeconds { get; set; }

    public string? ErrorCategory { get; set; }

    public string? ErrorDetail { get; set; }

    public DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? EndedAt { get; set; }
}

/// <summary>One stay of a job in a state, kept for its debug summary.</summary>
internal sealed class JobStage
{
    public required Guid AccountId { get; init; }

    public required Guid JobId { get; init; }

    public required int Number { get; init; }

    public required JobState State { get; init; }

    public int Attempt { get; init; }

    public DateTimeOffset StartedAt { get; init; }

    public DateTimeOffset? EndedAt { get; set; }

    public int Tries { get; set; }

    public long? Bytes { get; set; }

    public string? ProviderId { get; set; }

    public string? ErrorCategory { get; set; }

    public string? ErrorDetail { get; set; }
}

/// <summary>A webhook that was received; its id comes again when it is delivered again.</summary>
internal sealed class WebhookEvent
{
    public required Guid AccountId { get; init; }

    public required Guid AttemptId { get; init; }

    public required string WebhookId { get; init; }

    public DateTimeOffset ReceivedAt { get; init; }
}
