using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Models;
using Flurrty.TrainingService.Providers;

namespace Flurrty.TrainingService.Driving;

/// <content>Following a run to its end, and what it leaves into our own store.</content>
internal sealed partial class JobRunner
{
    /// <summary>Looks in a row that find no run before it counts as vanished: one 404 may be a replica that lags behind.</summary>
    private const int VanishedLooks = 3;

    private async Task<Rest> FollowAsync(Turn turn)
    {
        var job = turn.Job;
        var attempt = turn.Attempt;
        var provider = ProviderOf(turn);
        var deadline = job.State == JobState.Queued ? _options.QueueDeadline : _options.RunDeadline;
        var overdue = turn.Now - job.StateSince > deadline;
        if (attempt.StopAskedAt is { } stoppedAt && turn.Now - stoppedAt > _options.StopPatience)
        {
            return await FailAsync(turn, Failure.Timeout(job.State.ToText()));
        }

        if (overdue && turn.Now - job.StateSince > deadline + _options.StopPatience)
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

            run = await LookedAsync(token => provider.LookAsync(attempt.RunId!, token), turn.Lost);
        }
        catch (ProviderException problem)
        {
            // A refused key is waited for a little; everything else until the phase's deadline: there is a run to come back to.
            if (problem.Category is ErrorCategory.Authentication or ErrorCategory.Payment && job.Failures + 1 >= _options.AccessTries)
            {
                return await FailAsync(turn, Failure.From(problem));
            }

            await ChangeAsync(turn, change => change.NoteFailure(problem));
            return Rest.For(problem.RetryAfter ?? Backoff(job.Failures));
        }

        if (run is null)
        {
            if (job.Failures + 1 >= VanishedLooks)
            {
                return await FailAsync(turn, Failure.RunVanished(), static change => change.MoveAttempt(AttemptState.Failed));
            }

            await ChangeAsync(turn, static change =>
                change.NoteFailure(new ProviderException(ErrorCategory.UnknownRun, "The provider does not know the run.")));
            return Rest.For(Backoff(job.Failures));
        }

        return run.IsEnded ? await NoteEndAsync(turn, run) : await NoteProgressAsync(turn, run);
    }

    private async Task<Rest> NoteProgressAsync(Turn turn, ProviderRun run)
    {
        await ChangeAsync(turn, change =>
        {
            NoteLook(change, run);
            change.Job.Failures = 0;
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
        if (turn.Now - turn.Job.StateSince > _options.CollectDeadline)
        {
            return await FailAsync(turn, DownloadFailed("It took too long."));
        }

        await _collects.WaitAsync(turn.Lost);
        try
        {
            var provider = ProviderOf(turn);

            // Read again: the link lives a short while only, and a webhook's text is no proof.
            var run = await LookedAsync(token => provider.LookAsync(turn.Attempt.RunId!, token), turn.Lost);
            if (run?.Artifact is not { } artifact)
            {
                return await FailAsync(turn, DownloadFailed("The provider does not offer the artifact any more."));
            }

            using var limit = CancellationTokenSource.CreateLinkedTokenSource(turn.Lost);
            limit.CancelAfter(_options.DownloadDeadline);
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
        catch (ModelInvalidException invalid)
        {
            return await FailAsync(turn, new Failure(ErrorCategory.FileError, FailureCodes.ModelInvalid, Retryable: true, invalid.Message));
        }
        catch (ProviderException problem)
        {
            return await TryAgainAsync(turn, problem, _options.CollectTries, static last => DownloadFailed(last.Message) with { Category = last.Category });
        }
        catch (Exception broken) when (broken is Amazon.Runtime.AmazonServiceException or Amazon.Runtime.AmazonClientException or HttpRequestException or IOException
            || (broken is OperationCanceledException && !turn.Lost.IsCancellationRequested))
        {
            var problem = broken is OperationCanceledException
                ? new ProviderException(ErrorCategory.Timeout, "The model was not fetched in time.", inner: broken)
                : new ProviderException(ErrorCategory.Network, $"The model could not be stored ({broken.GetType().Name}).", inner: broken);
            return await TryAgainAsync(turn, problem, _options.CollectTries, static last => DownloadFailed(last.Message) with { Category = last.Category });
        }
        finally
        {
            _collects.Release();
        }
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
