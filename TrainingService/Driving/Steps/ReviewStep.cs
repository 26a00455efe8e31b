using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Providers;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Driving.Steps;

/// <summary>
/// Finds out whether there is a run. One that is found is adopted at once. That there is none is believed only after the request's
/// timeout and another wait, two complete reads of the list, the deletion of the attempt's file, and one more read.
/// </summary>
internal sealed class ReviewStep(
    ProviderCatalog providers,
    RunReads reads,
    JobStore store,
    JobEndings endings,
    StepFailures failures,
    Backoff backoff,
    TrainingMetrics metrics,
    IOptions<DrivingOptions> options,
    ILogger<ReviewStep> logger) : IStep
{
    private readonly DrivingOptions _options = options.Value;

    public async Task<StepResult> RunAsync(StepContext context)
    {
        var attempt = context.Attempt;
        if (attempt.State == AttemptState.Posting)
        {
            // The process that wrote down the request is gone, or lost its lease: whether the request was sent is not known.
            JobLog.OutcomeUnknown(logger, context.Job.Id, attempt.Number, "the process that sent the request is gone");
            await store.ChangeAsync(context, static change => change.MoveAttempt(AttemptState.Unknown));
            return StepResult.Next;
        }

        if (context.Job.State == JobState.NeedsReview && context.IsOverdue(_options.ReviewTimeout))
        {
            return await endings.FailAsync(context, Failure.UnknownRun());
        }

        var provider = providers[attempt.Provider];
        RunSearch found;
        try
        {
            found = await reads.FindAsync(context, provider);
        }
        catch (ProviderException problem)
        {
            return await failures.KeepTryingAsync(context, problem, WaitForReview);
        }

        if (found.Run is { } run)
        {
            JobLog.Adopted(logger, context.Job.Id, attempt.Number, run.Id);
            metrics.Adopted(attempt.Provider);
            await store.ChangeAsync(context, change => change.NoteRun(run, provider));
            return StepResult.Next;
        }

        if (context.Job.WaitingReason is not null)
        {
            await store.ChangeAsync(context, static change => change.GoOn());
        }

        if (found.CannotTell)
        {
            // The provider has removed what would tell ours. Nothing is proven, so nothing is bought.
            await store.ChangeAsync(context, static change =>
            {
                WaitForReview(change);
                change.NoteFailure(ErrorCategory.UnknownRun, "The provider's list has runs whose input it has removed: one of them may be ours.");
            });
            return StepResult.After(backoff.After(context.Job.Failures.InARow));
        }

        return await ProveAbsenceAsync(context, provider);
    }

    private async Task<StepResult> ProveAbsenceAsync(StepContext context, ITrainingProvider provider)
    {
        var attempt = context.Attempt;
        var believableAt = attempt.PostDeadlineAt!.Value + _options.UnknownWait;
        if (context.Now < believableAt)
        {
            await store.ChangeAsync(context, WaitForReview);
            var left = believableAt - context.Now;
            return StepResult.After(left < _options.ReviewPause ? left + TimeSpan.FromMilliseconds(10) : _options.ReviewPause);
        }

        if (attempt.InputDeletedAt is not null)
        {
            JobLog.NotRun(logger, context.Job.Id, attempt.Number);
            await store.ChangeAsync(context, static change => change.MoveAttempt(AttemptState.NotRun));
            return StepResult.Next;
        }

        var view = await store.ChangeAsync(context, static change =>
        {
            WaitForReview(change);
            change.Attempt.AbsentReads++;
        });
        if (view.Attempt!.AbsentReads >= 2)
        {
            try
            {
                await provider.RevokeInputAsync(attempt.InputId!, context.Lost);
            }
            catch (ProviderException problem) when (problem.Kind() == FailureKind.Access)
            {
                return await failures.WaitForAccessAsync(context, problem);
            }
            catch (ProviderException problem)
            {
                await store.ChangeAsync(context, change => change.NoteFailure(problem));
                return StepResult.After(backoff.After(context.Job.Failures.InARow));
            }

            await store.ChangeAsync(context, static change => change.Attempt.InputDeletedAt = change.Now);
        }

        return StepResult.After(_options.ReviewPause);
    }

    private static void WaitForReview(JobChange change)
    {
        if (change.Job.State == JobState.Submitting)
        {
            change.MoveTo(JobState.NeedsReview);
        }
    }
}
