using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Providers;
using Flurrty.TrainingService.Webhooks;

namespace Flurrty.TrainingService.Driving;

/// <content>Buying a run: an attempt's way from the intent to a run that has a name.</content>
internal sealed partial class JobRunner
{
    private const int DatasetTries = 4;

    private Task<Rest> SubmitAsync(Turn turn) => turn.Attempt.State switch
    {
        AttemptState.Intended => UploadAsync(turn),
        AttemptState.Uploaded => PostAsync(turn),
        AttemptState.Posting => AdoptCrashAsync(turn),
        AttemptState.Unknown => ReviewAsync(turn),
        AttemptState.Running => ResumeAsync(turn),
        AttemptState.Succeeded or AttemptState.Failed or AttemptState.Canceled or AttemptState.NotRun => NextAttemptAsync(turn),
    };

    private async Task<Rest> UploadAsync(Turn turn)
    {
        if (turn.Job.CancelRequested)
        {
            return await CancelAsync(turn, static change => change.EndUnsentAttempt());
        }

        if (await access.AfterFirstCheckAsync(turn.Attempt.Provider, turn.Lost) is { State: AccessState.Refused } refused)
        {
            return await WaitForAccessAsync(turn, new ProviderException(ErrorCategory.Authentication, refused.Detail));
        }

        try
        {
            var (dataset, refusal) = await datasets.GetAsync(turn.Job.AccountId, turn.Job.Id, turn.Lost);
            if (dataset is null)
            {
                return await AskForDatasetAgainAsync(turn, refusal);
            }

            // The file is the attempt's own: a run can be told by it, and deleting it stops a request that is still on its way.
            var input = await ProviderOf(turn).UploadInputAsync(datasets.ToSource(turn.Job.Id, dataset), turn.Lost);
            await ChangeAsync(turn, change =>
            {
                change.Attempt.InputId = input.Id;
                change.Attempt.InputLocation = input.Location.AbsoluteUri;
                change.NoteWork(dataset.Bytes, input.Id);
                change.MoveAttempt(AttemptState.Uploaded);
                change.GoOn();
                change.Advance(25, change.Job.EstimatedCompletion);
            });
            return Rest.None;
        }
        catch (ProviderException problem)
        {
            return await TryAgainAsync(turn, problem, _options.PrepareTries, ProviderFailures.ToFailure);
        }
    }

    /// <summary>A dataset that is not there although it was built may have been released by an earlier try; it is asked for again a few times.</summary>
    private async Task<Rest> AskForDatasetAgainAsync(Turn turn, string? refusal)
    {
        if (turn.Job.Failures.Dataset + 1 >= DatasetTries)
        {
            return await FailAsync(turn, Failure.DatasetRefused(refusal), static change => change.EndUnsentAttempt());
        }

        await ChangeAsync(turn, change =>
        {
            change.NoteFailure(new ProviderException(ErrorCategory.FileError, $"The dataset is not there: {refusal}."), FailureKind.Dataset);
            change.AskForDataset();
        });
        return Rest.For(Backoff(turn.Job.Failures.InARow));
    }

    private async Task<Rest> PostAsync(Turn turn)
    {
        if (turn.Job.CancelRequested)
        {
            return await CancelAsync(turn, static change => change.EndUnsentAttempt());
        }

        SubmissionPlan plan;
        var provider = ProviderOf(turn);
        try
        {
            var (dataset, refusal) = await datasets.GetAsync(turn.Job.AccountId, turn.Job.Id, turn.Lost);
            if (dataset is null)
            {
                return await AskForDatasetAgainAsync(turn, refusal);
            }

            var parameters = turn.Job.Parameters(dataset.TriggerWord);
            var input = new ProviderInput(turn.Attempt.InputId!, new Uri(turn.Attempt.InputLocation!));
            plan = await provider.PrepareAsync(turn.Job.AccountId, parameters, input, turn.Lost);
            if (turn.Attempt.Posts > 0 && turn.Attempt.DestinationMissing)
            {
                await provider.CreateDestinationAsync(plan, turn.Lost);
            }
        }
        catch (ProviderException problem)
        {
            return await TryAgainAsync(turn, problem, _options.PrepareTries, ProviderFailures.ToFailure);
        }

        return await PostOnceAsync(turn, provider, plan);
    }

    /// <summary>The step that costs money. It is written down before, and nothing but this one request follows from having written it down.</summary>
    private async Task<Rest> PostOnceAsync(Turn turn, ITrainingProvider provider, SubmissionPlan plan)
    {
        var token = await publicUrl.WorksAfterFirstTryAsync(turn.Lost) ? WebhookToken.Create() : null;
        var startedAt = time.GetTimestamp();
        turn.Posting(true);
        try
        {
            // This write is the check of the lease right before the request: it is fenced, and it makes the lease outlast the request.
            await ChangeAsync(
                turn,
                change =>
                {
                    var attempt = change.Attempt;
                    change.MoveAttempt(AttemptState.Posting);
                    attempt.Posts++;
                    attempt.FirstPostedAt ??= change.Now;
                    attempt.PostedAt = change.Now;
                    attempt.PostDeadlineAt = change.Now + _options.PostDeadline;
                    attempt.Destination = plan.Destination;
                    attempt.TrainerVersion = plan.TrainerVersion;
                    attempt.WebhookTokenHash = token?.Hash;
                },
                _options.PostLease);

            var spent = time.GetElapsedTime(startedAt);
            if (spent > _options.PostGrace)
            {
                // The process was paused. Nothing was sent, and nothing will be on the strength of that old check.
                await ChangeAsync(turn, static change => change.MoveAttempt(AttemptState.Uploaded));
                return Rest.None;
            }

            var outcome = await provider.SubmitAsync(
                plan, token is null ? null : webhooks.For(provider.Name, token), _options.PostDeadline - spent, CancellationToken.None);
            return await NoteOutcomeAsync(turn, outcome);
        }
        finally
        {
            turn.Posting(false);
        }
    }

    private async Task<Rest> NoteOutcomeAsync(Turn turn, SubmissionOutcome outcome)
    {
        switch (outcome)
        {
            case SubmissionOutcome.Created(var run):
                metrics.Submitted(turn.Attempt.Provider);
                Log.Submitted(logger, turn.Job.Id, turn.Attempt.Number, run.Id);
                await NoteRunAsync(turn, run);
                return Rest.For(LookInterval(TimeSpan.Zero));

            case SubmissionOutcome.Refused({ } problem, var destinationMissing):
                return await NoteRefusalAsync(turn, problem, destinationMissing);

            case SubmissionOutcome.Unknown({ } problem):
                Log.OutcomeUnknown(logger, turn.Job.Id, turn.Attempt.Number, problem.Message);
                await ChangeAsync(turn, change =>
                {
                    change.MoveAttempt(AttemptState.Unknown);
                    change.NoteFailure(problem);
                });
                return Rest.None;

            default:
                throw new InvalidOperationException($"There is no outcome {outcome.GetType().Name}.");
        }
    }

    /// <summary>The provider proved that it made no run: what may pass is asked for again within the attempt, everything else ends it.</summary>
    private async Task<Rest> NoteRefusalAsync(Turn turn, ProviderException problem, bool destinationMissing)
    {
        if (destinationMissing && !turn.Attempt.DestinationMissing)
        {
            await ChangeAsync(turn, change =>
            {
                change.NoteFailure(problem);
                change.MoveAttempt(AttemptState.Uploaded);
                change.Attempt.DestinationMissing = true;
            });
            return Rest.None;
        }

        var kind = problem.Kind();
        if (kind == FailureKind.Access)
        {
            return await WaitForAccessAsync(turn, problem, static change => change.MoveAttempt(AttemptState.Uploaded));
        }

        var tries = kind == FailureKind.Throttled ? _options.RateLimitTries : _options.PrepareTries;
        if (problem.IsTransient && turn.Job.Failures.Of(kind) + 1 < tries)
        {
            await ChangeAsync(turn, change =>
            {
                change.NoteFailure(problem);
                change.MoveAttempt(AttemptState.Uploaded);
            });
            Log.TryingAgain(logger, turn.Job.Id, turn.Job.State.ToText(), problem.Category.ToText(), problem.Message);
            var backoff = Backoff(turn.Job.Failures.InARow);
            return Rest.For(problem.RetryAfter > backoff ? problem.RetryAfter.Value + Jitter(TimeSpan.FromSeconds(1)) : backoff);
        }

        return await FailAsync(turn, problem.ToFailure(), change =>
        {
            change.NoteFailure(problem);
            change.MoveAttempt(AttemptState.NotRun);
        });
    }

    /// <summary>The process that wrote down the request is gone, or lost its lease: whether the request was sent is not known.</summary>
    private async Task<Rest> AdoptCrashAsync(Turn turn)
    {
        Log.OutcomeUnknown(logger, turn.Job.Id, turn.Attempt.Number, "the process that sent the request is gone");
        await ChangeAsync(turn, static change => change.MoveAttempt(AttemptState.Unknown));
        return Rest.None;
    }

    /// <summary>
    /// Finds out whether there is a run. One that is found is adopted at once. That there is none is believed only after the request's
    /// deadline and another wait, two complete reads of the list, the deletion of the attempt's file, and one more read.
    /// </summary>
    private async Task<Rest> ReviewAsync(Turn turn)
    {
        var attempt = turn.Attempt;
        var provider = ProviderOf(turn);
        if (turn.Job.State == JobState.NeedsReview && IsOverdue(turn, _options.ReviewDeadline))
        {
            return await FailAsync(turn, Failure.UnknownRun());
        }

        RunSearch found;
        try
        {
            found = await FindAsync(turn, provider);
        }
        catch (ProviderException problem) when (problem.Kind() == FailureKind.Access)
        {
            return await WaitForAccessAsync(turn, problem, WaitForReview);
        }
        catch (ProviderException problem)
        {
            await ChangeAsync(turn, change =>
            {
                WaitForReview(change);
                change.NoteFailure(problem);
            });
            return Rest.For(problem.RetryAfter ?? Backoff(turn.Job.Failures.InARow));
        }

        if (found.Run is { } run)
        {
            Log.Adopted(logger, turn.Job.Id, attempt.Number, run.Id);
            metrics.Adopted(attempt.Provider);
            await NoteRunAsync(turn, run);
            return Rest.None;
        }

        if (turn.Job.WaitingReason is not null)
        {
            await ChangeAsync(turn, static change => change.GoOn());
        }

        if (found.CannotTell)
        {
            // The provider has removed what would tell ours. Nothing is proven, so nothing is bought.
            await ChangeAsync(turn, static change =>
            {
                WaitForReview(change);
                change.NoteFailure(new ProviderException(ErrorCategory.UnknownRun, "The provider's list has runs whose input it has removed: one of them may be ours."));
            });
            return Rest.For(Backoff(turn.Job.Failures.InARow));
        }

        var believableAt = attempt.PostDeadlineAt!.Value + _options.UnknownWait;
        if (turn.Now < believableAt)
        {
            await ChangeAsync(turn, WaitForReview);
            var left = believableAt - turn.Now;
            return Rest.For(left < _options.ReviewPause ? left + TimeSpan.FromMilliseconds(10) : _options.ReviewPause);
        }

        if (attempt.InputDeletedAt is not null)
        {
            Log.NotRun(logger, turn.Job.Id, attempt.Number);
            await ChangeAsync(turn, static change => change.MoveAttempt(AttemptState.NotRun));
            return Rest.None;
        }

        var view = await ChangeAsync(turn, change =>
        {
            WaitForReview(change);
            change.Attempt.AbsentReads++;
        });
        if (view.Attempt!.AbsentReads >= 2)
        {
            try
            {
                await provider.RevokeInputAsync(attempt.InputId!, turn.Lost);
            }
            catch (ProviderException problem) when (problem.Kind() == FailureKind.Access)
            {
                return await WaitForAccessAsync(turn, problem);
            }
            catch (ProviderException problem)
            {
                await ChangeAsync(turn, change => change.NoteFailure(problem));
                return Rest.For(Backoff(turn.Job.Failures.InARow));
            }

            await ChangeAsync(turn, static change => change.Attempt.InputDeletedAt = change.Now);
        }

        return Rest.For(_options.ReviewPause);
    }

    /// <summary>Reads the list for the attempt's run, by its name where the provider has given it one.</summary>
    private Task<RunSearch> FindAsync(Turn turn, ITrainingProvider provider) => LookedAsync(
        token => provider.FindAsync(turn.Attempt.InputId!, turn.Attempt.RunId, turn.Attempt.FirstPostedAt!.Value, token), turn.Lost);

    private static void WaitForReview(JobChange change)
    {
        if (change.Job.State == JobState.Submitting)
        {
            change.MoveTo(JobState.NeedsReview);
        }
    }

    private Task<JobView> NoteRunAsync(Turn turn, ProviderRun run) => ChangeAsync(turn, change =>
    {
        change.Attempt.RunId = run.Id;
        change.Attempt.ProviderStatus = run.Status.ToString();
        change.Attempt.ErrorCategory = null;
        change.Attempt.ErrorDetail = null;
        change.MoveAttempt(AttemptState.Running);
        change.NoteWork(bytes: null, run.Id);
        var estimate = ProviderOf(turn).Estimate(turn.Job.Parameters(triggerWord: string.Empty));
        change.Job.EstimatedCompletion = change.Now + ((estimate.MinTime + estimate.MaxTime) / 2);
        change.MoveTo(JobState.Queued);
    });

    /// <summary>A retried job whose last attempt turned out to have a run is followed, not bought again.</summary>
    private async Task<Rest> ResumeAsync(Turn turn)
    {
        await ChangeAsync(turn, static change => change.MoveTo(JobState.Queued));
        return Rest.None;
    }

    /// <summary>The last attempt made no run: another may be bought, while the job's allowance lasts.</summary>
    private async Task<Rest> NextAttemptAsync(Turn turn)
    {
        if (turn.Job.CancelRequested)
        {
            return await CancelAsync(turn);
        }

        if (string.Equals(turn.Attempt.ErrorCategory, ErrorCategory.Validation.ToText(), StringComparison.Ordinal))
        {
            return await FailAsync(
                turn, new Failure(ErrorCategory.Validation, FailureCodes.ProviderRejectedInput, Retryable: false, turn.Attempt.ErrorDetail));
        }

        if (turn.Job.AttemptNumber - turn.Job.AttemptsBeforeRetry >= _options.MaxAttempts)
        {
            return await FailAsync(
                turn, new Failure(ErrorCategory.ServiceError, FailureCodes.ProviderUnavailable, Retryable: true, turn.Attempt.ErrorDetail));
        }

        await ChangeAsync(turn, static change =>
        {
            change.OpenAttempt(change.Job.Provider!);
            if (change.Job.State == JobState.NeedsReview)
            {
                change.MoveTo(JobState.Submitting);
            }
        });
        return Rest.None;
    }
}
