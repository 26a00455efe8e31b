using Flurrty.Messaging;
using Microsoft.EntityFrameworkCore;

namespace Flurrty.TrainingService.Jobs;

/// <summary>A change of one job inside its transaction: the rows and the messages that tell of it are committed together.</summary>
internal sealed class JobChange(DbContext db, Outbox outbox, Job job, Attempt? attempt, JobStage? stage, DateTimeOffset now)
{
    private bool _tell;
    private bool _release;

    public Job Job { get; } = job;

    public DateTimeOffset Now { get; } = now;

    /// <summary>The attempt at work.</summary>
    public Attempt Attempt => CurrentAttempt ?? throw new InvalidOperationException($"The job {Job.Id} has no attempt.");

    public Attempt? CurrentAttempt { get; private set; } = attempt;

    private JobStage? Stage { get; set; } = stage;

    /// <summary>Writes down a new job in its first state.</summary>
    public void Open()
    {
        OpenStage();
        Tell();
    }

    /// <summary>Opens a failed job again, where <see cref="Transitions.OnRetry"/> says.</summary>
    public void Retry(long revision)
    {
        Job.RetryRevision = revision;
        Job.AttemptsBeforeRetry = Job.AttemptNumber;
        Job.FailureCategory = null;
        Job.FailureCode = null;
        Job.FailureDetail = null;
        Job.FailureRetryable = false;
        Job.CancelRequestedAt = null;
        Job.DatasetReady = false;
        Job.DatasetRefusedCode = null;
        Job.Progress = 0;
        Job.NextLookAt = Now;
        Job.Wakes++;
        Job.UpdatedAt = Now;
        if (CurrentAttempt is { } last)
        {
            last.StopAskedAt = null;
            last.StopReason = null;
        }

        MoveTo(Transitions.OnRetry(CurrentAttempt?.State, CurrentAttempt?.IsSpent ?? false));
    }

    /// <summary>Moves the job on and tells of it.</summary>
    public void MoveTo(JobState next)
    {
        if (!Job.State.MayBecome(next))
        {
            throw new InvalidOperationException($"The job {Job.Id} cannot move from {Job.State} to {next}.");
        }

        if (Stage is not null)
        {
            Stage.EndedAt = Now;
        }

        Job.State = next;
        Job.StateSince = Now;
        Job.Failures.Clear();
        ClearWaiting();
        Job.Progress = next is JobState.Failed or JobState.Canceled ? Job.Progress : Math.Max(Job.Progress, next.Progress());
        OpenStage();
        if (next.IsTerminal() && Stage is not null)
        {
            Stage.EndedAt = Now;
        }

        Tell();
    }

    /// <summary>Notes progress within the state, and tells of it when there is any.</summary>
    public void Advance(int progress, DateTimeOffset? estimatedCompletion)
    {
        if (progress > Job.Progress)
        {
            Job.Progress = progress;
            Job.EstimatedCompletion = estimatedCompletion;
            Tell();
        }
    }

    /// <summary>Writes down the intent to buy a run; nothing was sent for it yet.</summary>
    public void OpenAttempt(string provider)
    {
        if (CurrentAttempt is { } last && !last.State.IsEnded())
        {
            throw new InvalidOperationException($"The attempt {last.Number} of the job {Job.Id} has not ended.");
        }

        Job.AttemptNumber++;
        CurrentAttempt = new Attempt
        {
            Id = Guid.CreateVersion7(),
            AccountId = Job.AccountId,
            JobId = Job.Id,
            Number = Job.AttemptNumber,
            Provider = provider,
            State = AttemptState.Intended,
            CreatedAt = Now,
        };
        db.Add(CurrentAttempt);
    }

    public void MoveAttempt(AttemptState next)
    {
        if (!Attempt.State.MayBecome(next))
        {
            throw new InvalidOperationException($"The attempt {Attempt.Number} of the job {Job.Id} cannot move from {Attempt.State} to {next}.");
        }

        Attempt.State = next;
        if (next.IsEnded())
        {
            Attempt.EndedAt = Now;
        }
    }

    /// <summary>Ends an attempt for which no request is out. It can end with its job.</summary>
    public void EndUnsentAttempt()
    {
        if (CurrentAttempt?.State is AttemptState.Intended or AttemptState.Uploaded)
        {
            MoveAttempt(AttemptState.NotRun);
        }
    }

    /// <summary>Notes that a step went wrong and will be tried again.</summary>
    public void NoteFailure(ErrorCategory category, string detail, FailureKind? kind = null)
    {
        Job.Failures.Add(kind ?? FailureCounts.KindOf(category));
        if (Stage is not null)
        {
            Stage.Tries++;
            Stage.ErrorCategory = category.ToText();
            Stage.ErrorDetail = detail;
        }

        if (CurrentAttempt is { } current && !current.State.IsEnded())
        {
            current.ErrorCategory = category.ToText();
            current.ErrorDetail = detail;
        }
    }

    /// <summary>Waits until somebody mends what is in the way, at most until the deadline that its first moment set.</summary>
    public void WaitFor(WaitingReason reason, TimeSpan timeout)
    {
        Job.WaitingSince ??= Now;
        Job.WaitingUntil ??= Now + timeout;
        if (Job.WaitingReason != reason)
        {
            Job.WaitingReason = reason;
            Tell();
        }
    }

    /// <summary>Goes on after a step that succeeded: earlier failures say nothing any more.</summary>
    public void GoOn()
    {
        Job.Failures.Clear();
        EndWaiting();
    }

    /// <summary>Goes on because what was waited for has come. The time spent waiting counts for no timeout.</summary>
    public void EndWaiting()
    {
        if (Job.WaitingSince is not { } since)
        {
            return;
        }

        Job.StateSince += Now - since;
        if (CurrentAttempt is { StopAskedAt: { } asked } stopping)
        {
            stopping.StopAskedAt = asked + (Now - since);
        }

        ClearWaiting();
        Tell();
    }

    private void ClearWaiting()
    {
        Job.WaitingReason = null;
        Job.WaitingSince = null;
        Job.WaitingUntil = null;
    }

    /// <summary>Notes what a stage moved and what the provider calls it.</summary>
    public void NoteWork(long? bytes, string? providerId)
    {
        if (Stage is not null)
        {
            Stage.Bytes = bytes ?? Stage.Bytes;
            Stage.ProviderId = providerId ?? Stage.ProviderId;
        }
    }

    public void Fail(Failure failure)
    {
        Job.FailureCategory = failure.Category.ToText();
        Job.FailureCode = failure.Code;
        Job.FailureRetryable = failure.Retryable;
        Job.FailureDetail = failure.Detail;
        if (Stage is not null)
        {
            Stage.ErrorCategory = Job.FailureCategory;
            Stage.ErrorDetail = failure.Detail;
        }

        End(JobState.Failed);
    }

    public void Cancel() => End(JobState.Canceled);

    public void Succeed() => End(JobState.Succeeded);

    public void AskForDataset()
    {
        Job.DatasetAskedAt = Now;
        outbox.AskForDataset(db, Job);
    }

    private void End(JobState end)
    {
        Job.EstimatedCompletion = null;
        MoveTo(end);
        _release = true;
    }

    /// <summary>Adds what others are told: where the job stands after all of the change, once.</summary>
    public void Complete()
    {
        if (_tell)
        {
            _tell = false;
            Job.Revision++;
            outbox.PublishState(db, Job);
        }

        if (_release)
        {
            _release = false;
            outbox.ReleaseDataset(db, Job);
        }
    }

    private void Tell() => _tell = true;

    private void OpenStage()
    {
        Job.StageNumber++;
        Stage = new JobStage
        {
            AccountId = Job.AccountId,
            JobId = Job.Id,
            Number = Job.StageNumber,
            State = Job.State,
            Attempt = Job.AttemptNumber,
            StartedAt = Now,
        };
        db.Add(Stage);
    }
}
