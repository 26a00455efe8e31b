using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Providers;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Driving.Steps;

/// <summary>Looks at a run and notes how far it is, or how it ended.</summary>
internal sealed class FollowStep(
    ProviderCatalog providers,
    RunReads reads,
    JobStore store,
    JobEndings endings,
    StepFailures failures,
    Backoff backoff,
    IOptions<DrivingOptions> options) : IStep
{
    public async Task<StepResult> RunAsync(StepContext context)
    {
        ProviderRun? run;
        try
        {
            run = await reads.LookOrFindAsync(context, providers[context.Attempt.Provider]);
        }
        catch (ProviderException problem)
        {
            // Until the phase's timeout: there is a run to come back to.
            return await failures.KeepTryingAsync(context, problem);
        }

        return run is null ? await failures.NoteMissingAsync(context, static change => change.MoveAttempt(AttemptState.Failed))
            : run.IsEnded ? await NoteEndAsync(context, run)
            : await NoteProgressAsync(context, run);
    }

    private async Task<StepResult> NoteProgressAsync(StepContext context, ProviderRun run)
    {
        await store.ChangeAsync(context, change =>
        {
            change.NoteLook(run);
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
        return StepResult.After(context.Attempt.StopAskedAt is null
            ? backoff.ToNextLook(context.Now - (context.Attempt.PostedAt ?? context.Now))
            : options.Value.FirstBackoff);
    }

    /// <summary>Terminal only here, after a read; what a webhook says is never believed.</summary>
    private async Task<StepResult> NoteEndAsync(StepContext context, ProviderRun run)
    {
        switch (run.Status)
        {
            case RunStatus.Succeeded:
                // Also when its end was asked for: it was trained and paid for before that arrived.
                await store.ChangeAsync(context, change =>
                {
                    End(change, AttemptState.Succeeded);
                    change.MoveTo(JobState.Collecting);
                    change.Job.TrainedAt = run.CompletedAt ?? change.Now;
                    change.Job.EstimatedCompletion = null;
                });
                return StepResult.Next;

            case RunStatus.Canceled or RunStatus.Aborted when context.Job.CancelRequested:
                return await endings.CancelAsync(context, change => End(change, AttemptState.Canceled));

            case RunStatus.Canceled when context.Attempt.StopReason is null:
                return await endings.FailAsync(
                    context,
                    new Failure(ErrorCategory.Canceled, FailureCodes.Canceled, Retryable: true, "The run was canceled at the provider."),
                    change => End(change, AttemptState.Canceled));

            case RunStatus.Canceled or RunStatus.Aborted:
                return await endings.FailAsync(
                    context, Failure.Timeout(context.Job.State.ToText()), change => End(change, AttemptState.Canceled));

            default:
                var failure = run.InputRejected
                    ? new Failure(ErrorCategory.Validation, FailureCodes.ProviderRejectedInput, Retryable: false, run.Error)
                    : new Failure(ErrorCategory.ServiceError, FailureCodes.TrainingFailed, Retryable: true, run.Error);
                return await endings.FailAsync(context, failure, change => End(change, AttemptState.Failed));
        }

        void End(JobChange change, AttemptState state)
        {
            change.NoteLook(run);
            change.MoveAttempt(state);
        }
    }
}
