using Flurrty.RegistryService.Identities;

namespace Flurrty.RegistryService.Versions;

/// <summary>One training of an identity and what became of it. Its id is also the training job's and the sealed photo set's.</summary>
internal sealed class IdentityVersion
{
    private const int Complete = 100;

    public Guid Id { get; init; }

    public Guid AccountId { get; init; }

    public Guid IdentityId { get; init; }

    public int Number { get; init; }

    public required string ModelId { get; init; }

    public VersionStatus Status { get; private set; } = VersionStatus.Pending;

    public string? Stage { get; private set; }

    public int Progress { get; private set; }

    public DateTimeOffset? EstimatedCompletion { get; private set; }

    /// <summary>What somebody must mend at the provider before the training goes on; null while nothing is in its way.</summary>
    public string? WaitingReason { get; private set; }

    /// <summary>When that waiting ends in a failure.</summary>
    public DateTimeOffset? WaitingUntil { get; private set; }

    /// <summary>The provider that was asked for; <c>auto</c> leaves the choice to TrainingService.</summary>
    public required string Provider { get; init; }

    /// <summary>The provider that trained it.</summary>
    public string? TrainedBy { get; private set; }

    public required string Preset { get; init; }

    public int Steps { get; init; }

    public int Rank { get; init; }

    public double? LearningRate { get; init; }

    public required string Resolution { get; init; }

    public required string TriggerWord { get; init; }

    public int PhotoCount { get; init; }

    public Guid? ThumbnailPhotoId { get; init; }

    /// <summary>The revision of the training that this row shows. Reports that are not newer change nothing.</summary>
    public long TrainingRevision { get; private set; }

    public string? FailureCategory { get; private set; }

    public string? FailureCode { get; private set; }

    public bool? FailureRetryable { get; private set; }

    public long? ModelBytes { get; private set; }

    public string? ModelSha256 { get; private set; }

    public DateTimeOffset? TrainedAt { get; private set; }

    /// <summary>The request that caused this training.</summary>
    public Guid CausedBy { get; init; }

    public DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset UpdatedAt { get; private set; }

    /// <summary>When the reconciler looks at this version next. Null once it has ended.</summary>
    public DateTimeOffset? NextLookAt { get; private set; }

    /// <summary>How many entries the history has.</summary>
    public int Changes { get; private set; }

    public List<VersionChange> History { get; } = [];

    public TrainingConfig Config => new(Preset, Steps, Rank, LearningRate, Resolution);

    /// <summary>Starts the version's life: its training is asked for and the reconciler will see to it.</summary>
    public void Begin(DateTimeOffset now, TimeSpan resendAfter)
    {
        UpdatedAt = now;
        NextLookAt = now + resendAfter;
        Record(from: null, now);
    }

    /// <summary>Takes a report in. Gives whether anything that a reader sees has changed.</summary>
    public bool Apply(TrainingReport report, DateTimeOffset now, TimeSpan askAfter)
    {
        if (Status.HasEnded())
        {
            return false;
        }

        NextLookAt = now + askAfter;
        if (report.Revision <= TrainingRevision || report is { Status: VersionStatus.Ready, Model: null })
        {
            return false;
        }

        TrainingRevision = report.Revision;
        if (Status == VersionStatus.Pending)
        {
            // Any report means that TrainingService has the job, also one that overtook the first.
            Move(VersionStatus.Training, report, now);
        }

        if (report.Status != VersionStatus.Training && VersionStates.MayMove(Status, report.Status))
        {
            Move(report.Status, report, now);
        }

        Stage = report.Stage ?? Stage;
        Progress = Status == VersionStatus.Ready ? Complete : Math.Clamp(report.Progress ?? Progress, 0, Complete);
        EstimatedCompletion = Status.HasEnded() ? null : report.EstimatedCompletion?.ToUniversalTime() ?? EstimatedCompletion;
        (WaitingReason, WaitingUntil) = Status == VersionStatus.Training ? (report.WaitingReason, report.WaitingUntil?.ToUniversalTime()) : (null, null);
        TrainedBy = report.Provider ?? TrainedBy;
        UpdatedAt = now;
        return true;
    }

    private void Move(VersionStatus status, TrainingReport report, DateTimeOffset now)
    {
        var from = Status;
        Status = status;
        if (status.HasEnded())
        {
            NextLookAt = null;
        }

        if (status == VersionStatus.Ready && report.Model is { } model)
        {
            ModelBytes = model.Bytes;
            ModelSha256 = model.Sha256;
            TrainedAt = model.TrainedAt.ToUniversalTime();
        }

        if (status == VersionStatus.Failed)
        {
            FailureCategory = report.Failure?.Category;
            FailureCode = report.Failure?.Code ?? FailureSentences.Unknown;
            FailureRetryable = report.Failure?.Retryable ?? false;
        }

        Record(from, now);
    }

    private void Record(VersionStatus? from, DateTimeOffset now)
    {
        Changes++;
        History.Add(VersionChange.Of(this, from, now));
    }
}
