using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Models;
using Flurrty.TrainingService.Providers;

namespace Flurrty.TrainingService.Driving;

/// <content>Following a run to its end, and what it leaves into our own store.</content>
internal sealed partial class JobRunner
{
    /// <summary>
    /// A run counts as vanished after this many looks that were answered and did not find it, each followed by a complete read of the list
    /// without it: one 404 may be a replica that lags behind. A look that failed in another way says nothing and counts for nothing.
    /// </summary>
    private const int VanishedLooks = 3;

    /// <summary>Downloads of a model that arrives damaged before it is believed to lie there so.</summary>
    private const int DamagedDownloads = 2;

    private async Task<Rest> FollowAsync(Turn turn)
    {
        var job = turn.Job;
        var attempt = turn.Attempt;
        var provider = ProviderOf(turn);
        var deadline = job.State == JobState.Queued ? _options.QueueDeadline : _options.RunDeadline;
        var overdue = IsOverdue(turn, deadline);
        if (job.WaitingReason is null && attempt.StopAskedAt is { } stoppedAt && turn.Now - stoppedAt > _options.StopPatience)
        {
            return await FailAsync(turn, Failure.Timeout(job.State.ToText()));
        }

        if (IsOverdue(turn, deadline + _options.StopPatience))
        {
            // Neither the run nor its end can be read. The attempt stays open, so that a retry reads on instead of buying again.
            return await FailAsync(turn, Failure.Timeout(job.State.ToText()));
        }

        ProviderRun? run;
        try
        {
            if (overdue || job.CancelRequested || attempt.StopReason is not null)
            {
                await provider.CancelAsync(attempt.RunId!, turn.Lost);
                await ChangeAsync(turn, change =>
                {
                    change.Attempt.StopReason ??= overdue ? $"The phase {job.State.ToText()} took too long." : null;
                    change.Attempt.StopAskedAt ??= change.Now;
                });
            }

            run = await LookOrFindAsync(turn, provider);
        }
        catch (ProviderException problem) when (problem.Kind() == FailureKind.Access)
        {
            return await WaitForAccessAsync(turn, problem);
        }
        catch (ProviderException problem)
        {
            // Until the phase's deadline: there is a run to come back to.
            await ChangeAsync(turn, change => change.NoteFailure(problem));
            return Rest.For(problem.RetryAfter ?? Backoff(job.Failures.InARow));
        }

        return run is null ? await NoteMissingAsync(turn, static change => change.MoveAttempt(AttemptState.Failed))
            : run.IsEnded ? await NoteEndAsync(turn, run)
            : await NoteProgressAsync(turn, run);
    }

    /// <summary>Reads the run; when it is not found by its name, in the list too.</summary>
    private async Task<ProviderRun?> LookOrFindAsync(Turn turn, ITrainingProvider provider) =>
        await LookedAsync(token => provider.LookAsync(turn.Attempt.RunId!, token), turn.Lost) ?? (await FindAsync(turn, provider)).Run;

    private async Task<Rest> NoteMissingAsync(Turn turn, Action<JobChange> end)
    {
        if (turn.Job.Failures.Missing + 1 >= VanishedLooks)
        {
            return await FailAsync(turn, Failure.RunVanished(), end);
        }

        await ChangeAsync(turn, static change =>
        {
            change.EndWaiting();
            change.NoteFailure(new ProviderException(ErrorCategory.UnknownRun, "The provider does not know the run."));
        });
        return Rest.For(LookInterval(TimeSpan.Zero));
    }

    private async Task<Rest> NoteProgressAsync(Turn turn, ProviderRun run)
    {
        await ChangeAsync(turn, change =>
        {
            NoteLook(change, run);
            change.GoOn();
            if (run.Status == RunStatus.Running && change.Job.State == JobState.Queued)
            {
                change.MoveTo(JobState.Training);
            }

            if (run.Progress is { } progress && change.Job.State == JobState.Training)
            {
                var left = progress.Remaining ?? TimeSpan.Zero;
                change.Advance(30 + (int)(60L * progress.Step / progress.Steps), left > TimeSpan.Zero ? change.Now + left : null);
            }
        });
        return Rest.For(turn.Attempt.StopAskedAt is null ? LookInterval(turn.Now - (turn.Attempt.PostedAt ?? turn.Now)) : _options.FirstBackoff);
    }

    /// <summary>Terminal only here, after a read; what a webhook says is never believed.</summary>
    private async Task<Rest> NoteEndAsync(Turn turn, ProviderRun run)
    {
        switch (run.Status)
        {
            case RunStatus.Succeeded:
                // Also when its end was asked for: it was trained and paid for before that arrived.
                await ChangeAsync(turn, change =>
                {
                    NoteLook(change, run);
                    change.MoveAttempt(AttemptState.Succeeded);
                    change.MoveTo(JobState.Collecting);
                    change.Job.TrainedAt = run.CompletedAt ?? change.Now;
                    change.Job.EstimatedCompletion = null;
                });
                return Rest.None;

            case RunStatus.Canceled when turn.Job.CancelRequested:
                return await CancelAsync(turn, change =>
                {
                    NoteLook(change, run);
                    change.MoveAttempt(AttemptState.Canceled);
                });

            case RunStatus.Canceled when turn.Attempt.StopReason is null:
                return await FailAsync(
                    turn,
                    new Failure(ErrorCategory.Canceled, FailureCodes.Canceled, Retryable: true, "The run was canceled at the provider."),
                    change => End(change, AttemptState.Canceled));

            case RunStatus.Canceled or RunStatus.Aborted:
                return turn.Job.CancelRequested
                    ? await CancelAsync(turn, change => End(change, AttemptState.Canceled))
                    : await FailAsync(turn, Failure.Timeout(turn.Job.State.ToText()), change => End(change, AttemptState.Canceled));

            default:
                var failure = run.InputRejected
                    ? new Failure(ErrorCategory.Validation, FailureCodes.ProviderRejectedInput, Retryable: false, run.Error)
                    : new Failure(ErrorCategory.ServiceError, FailureCodes.TrainingFailed, Retryable: true, run.Error);
                return await FailAsync(turn, failure, change => End(change, AttemptState.Failed));
        }

        void End(JobChange change, AttemptState state)
        {
            NoteLook(change, run);
            change.MoveAttempt(state);
        }
    }

    private static void NoteLook(JobChange change, ProviderRun run)
    {
        var attempt = change.Attempt;
        attempt.ProviderStatus = run.Status.ToString();
        attempt.LookedAt = change.Now;
        attempt.RunStartedAt = run.StartedAt ?? attempt.RunStartedAt;
        attempt.RunEndedAt = run.CompletedAt ?? attempt.RunEndedAt;
        attempt.Step = run.Progress?.Step ?? attempt.Step;
        attempt.LogBytes = Math.Max(attempt.LogBytes, run.LogBytes);
        attempt.BilledSeconds = run.BilledSeconds ?? attempt.BilledSeconds;
        attempt.OutputVersion = run.OutputVersion ?? attempt.OutputVersion;
        if (run.Error is not null)
        {
            attempt.ErrorDetail = run.Error;
        }
    }

    private async Task<Rest> CollectAsync(Turn turn)
    {
        if (IsOverdue(turn, _options.CollectDeadline))
        {
            return await FailAsync(turn, DownloadFailed("It took too long."));
        }

        await _collects.WaitAsync(turn.Lost);
        try
        {
            return await CollectOnceAsync(turn, ProviderOf(turn));
        }
        catch (ProviderException problem)
        {
            return await CollectLaterAsync(turn, problem);
        }
        catch (Exception broken) when (broken is Amazon.Runtime.AmazonServiceException or Amazon.Runtime.AmazonClientException or HttpRequestException or IOException
            || (broken is OperationCanceledException && !turn.Lost.IsCancellationRequested))
        {
            return await CollectLaterAsync(turn, broken is OperationCanceledException
                ? new ProviderException(ErrorCategory.Timeout, "The model was not fetched in time.", inner: broken)
                : new ProviderException(ErrorCategory.Network, $"The model could not be stored ({broken.GetType().Name}).", inner: broken));
        }
        finally
        {
            _collects.Release();
        }
    }

    private async Task<Rest> CollectOnceAsync(Turn turn, ITrainingProvider provider)
    {
        ProviderRun? run;
        try
        {
            // Read again: the link lives a short while only, and a webhook's text is no proof.
            run = await LookOrFindAsync(turn, provider);
        }
        catch (ProviderException problem) when (problem.Kind() == FailureKind.Access)
        {
            return await WaitForAccessAsync(turn, problem);
        }

        if (run is null)
        {
            return await NoteMissingAsync(turn, static change => change.Attempt.IsSpent = true);
        }

        if (run.Artifact is not { } artifact)
        {
            return await NoteNoArtifactAsync(turn, run);
        }

        if (turn.Job.WaitingReason is not null)
        {
            await ChangeAsync(turn, static change => change.GoOn());
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(turn.Lost);
        limit.CancelAfter(_options.DownloadDeadline);
        try
        {
            await using var model = await fetch.FetchAsync(provider, artifact, limit.Token);
            var key = await models.StoreAsync(turn.Job, model, limit.Token);
            await ChangeAsync(turn, change =>
            {
                change.Job.ModelKey = key;
                change.Job.ModelBytes = model.File.Length;
                change.Job.ModelSha256 = model.Sha256;
                change.Job.ModelWarning = model.Summary.IsNoOp ? "training_did_nothing" : null;
                change.NoteWork(model.File.Length, run.OutputVersion);
                change.MoveTo(JobState.Publishing);
            });
            if (model.Summary.IsNoOp)
            {
                Log.DidNothing(logger, turn.Job.Id);
            }

            return Rest.None;
        }
        catch (ModelInvalidException invalid) when (turn.Job.Failures.Damaged + 1 < DamagedDownloads)
        {
            await ChangeAsync(turn, change => change.NoteFailure(new ProviderException(ErrorCategory.FileError, invalid.Message), FailureKind.Damaged));
            return Rest.For(Backoff(turn.Job.Failures.InARow));
        }
        catch (ModelInvalidException invalid)
        {
            return await FailAsync(
                turn,
                new Failure(ErrorCategory.FileError, FailureCodes.ModelInvalid, Retryable: true, invalid.Message),
                static change => change.Attempt.IsSpent = true);
        }
    }

    /// <summary>A link may not stand there yet. Data that the provider says it has removed will not come back.</summary>
    private async Task<Rest> NoteNoArtifactAsync(Turn turn, ProviderRun run)
    {
        var problem = new ProviderException(
            ErrorCategory.UnknownRun, run.DataRemoved ? "The provider has removed the artifact." : "The provider does not offer the artifact.");
        if (run.DataRemoved || turn.Job.Failures.Missing + 1 >= _options.CollectTries)
        {
            return await FailAsync(turn, DownloadFailed(problem.Message), change => change.Attempt.IsSpent = run.DataRemoved);
        }

        await ChangeAsync(turn, change => change.NoteFailure(problem));
        return Rest.For(Backoff(turn.Job.Failures.InARow));
    }

    /// <summary>The run was paid for: whatever keeps its model from us is tried again until the phase's deadline, and a retry goes on from here.</summary>
    private async Task<Rest> CollectLaterAsync(Turn turn, ProviderException problem)
    {
        await ChangeAsync(turn, change => change.NoteFailure(problem, FailureKind.Passing));
        Log.TryingAgain(logger, turn.Job.Id, turn.Job.State.ToText(), problem.Category.ToText(), problem.Message);
        return Rest.For(problem.RetryAfter is { } asked && asked > TimeSpan.Zero ? asked + Jitter(TimeSpan.FromMilliseconds(500)) : Backoff(turn.Job.Failures.InARow));
    }

    private async Task<Rest> PublishAsync(Turn turn)
    {
        await RevokeInputAsync(turn, turn.View);
        var view = await ChangeAsync(turn, static change => change.Succeed());
        metrics.Ended(view.Job);
        Log.Succeeded(logger, turn.Job.Id, view.Job.ModelBytes ?? 0);
        return Rest.Ended;
    }

    private static Failure DownloadFailed(string detail) => new(ErrorCategory.Network, FailureCodes.ModelDownloadFailed, Retryable: true, detail);

    private async Task<T> LookedAsync<T>(Func<CancellationToken, Task<T>> look, CancellationToken cancellationToken)
    {
        await _looks.WaitAsync(cancellationToken);
        try
        {
            return await look(cancellationToken);
        }
        finally
        {
            _looks.Release();
        }
    }

    /// <summary>Often soon after the submission, seldom later, never in step with other jobs.</summary>
    private TimeSpan LookInterval(TimeSpan sinceSubmission) =>
        (sinceSubmission < _options.LookSoonFor ? _options.LookSoon : _options.LookLater) * (0.9 + (Random.Shared.NextDouble() * 0.2));
}
