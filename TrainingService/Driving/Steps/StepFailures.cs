using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Providers;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Driving.Steps;

/// <summary>What follows when a step meets a failure: another try within the budget of its kind, a wait for somebody, or the end.</summary>
internal sealed class StepFailures(
    JobStore store, JobEndings endings, Backoff backoff, IOptions<DrivingOptions> options, ILogger<StepFailures> logger)
{
    private const int MaxDatasetTries = 4;

    /// <summary>
    /// A run counts as vanished after this many looks that were answered and did not find it, each followed by a complete read of the list
    /// without it: one 404 may be a replica that lags behind. A look that failed in another way says nothing and counts for nothing.
    /// </summary>
    private const int MaxMissingLooks = 3;

    private readonly DrivingOptions _options = options.Value;

    /// <summary>Whether what leads up to a run may be tried once more after this failure.</summary>
    public bool MayRetry(StepContext context, ProviderException problem)
    {
        var kind = problem.Kind();
        return problem.IsTransient
            && context.Job.Failures.Of(kind) + 1 < (kind == FailureKind.Throttled ? _options.RateLimitTries : _options.PrepareTries);
    }

    /// <summary>Tries what leads up to a run again, up to the number of tries that the failure's kind has.</summary>
    public async Task<StepResult> RetryOrFailAsync(StepContext context, ProviderException problem)
    {
        if (problem.Kind() == FailureKind.Access)
        {
            return await WaitForAccessAsync(context, problem);
        }

        if (!MayRetry(context, problem))
        {
            return await endings.FailAsync(context, problem.ToFailure(), change =>
            {
                change.NoteFailure(problem);
                change.EndUnsentAttempt();
            });
        }

        await store.ChangeAsync(context, change => change.NoteFailure(problem));
        JobLog.TryingAgain(logger, context.Job.Id, context.Job.State.ToText(), problem.Category.ToText(), problem.Message);
        return StepResult.After(backoff.After(problem, context.Job.Failures.InARow));
    }

    /// <summary>Tries again without a limit of its own: there may be a run to come back to.</summary>
    public async Task<StepResult> KeepTryingAsync(StepContext context, ProviderException problem, Action<JobChange>? also = null)
    {
        if (problem.Kind() == FailureKind.Access)
        {
            return await WaitForAccessAsync(context, problem, also);
        }

        await store.ChangeAsync(context, change =>
        {
            also?.Invoke(change);
            change.NoteFailure(problem);
        });
        return StepResult.After(problem.RetryAfter ?? backoff.After(context.Job.Failures.InARow));
    }

    /// <summary>
    /// Waits for accepted credentials or for money, which only somebody at the provider can mend, and tells of it once. A run that is there goes
    /// on meanwhile. After the deadline the job fails; a run that it may have stays its attempt's.
    /// </summary>
    public async Task<StepResult> WaitForAccessAsync(StepContext context, ProviderException problem, Action<JobChange>? also = null)
    {
        var reason = problem.Category == ErrorCategory.Payment ? WaitingReason.PaymentRequired : WaitingReason.CredentialsRefused;
        if (context.Job.WaitingUntil is { } until && context.Now >= until)
        {
            var failure = Failure.AccessRefused(problem.Category, problem.Message, hasRun: context.View.Attempt?.RunId is not null);
            return await endings.FailAsync(context, failure, change =>
            {
                also?.Invoke(change);
                change.NoteFailure(problem);
                change.EndUnsentAttempt();
            });
        }

        var view = await store.ChangeAsync(context, change =>
        {
            also?.Invoke(change);
            change.NoteFailure(problem);
            change.WaitFor(reason, _options.AccessTimeout);
        });
        if (context.Job.WaitingReason != reason)
        {
            JobLog.Waiting(logger, context.Job.Id, view.Job.Provider!, reason.ToText(), view.Job.WaitingUntil!.Value, problem.Message);
        }

        return StepResult.After(Backoff.Around(problem.RetryAfter > _options.AccessPause ? problem.RetryAfter.Value : _options.AccessPause));
    }

    /// <summary>A dataset that is not there although it was built may have been released by an earlier try; it is asked for again a few times.</summary>
    public async Task<StepResult> AskForDatasetAgainAsync(StepContext context, string? refusal)
    {
        if (context.Job.Failures.Dataset + 1 >= MaxDatasetTries)
        {
            return await endings.FailAsync(context, Failure.DatasetRefused(refusal), static change => change.EndUnsentAttempt());
        }

        await store.ChangeAsync(context, change =>
        {
            change.NoteFailure(ErrorCategory.FileError, $"The dataset is not there: {refusal}.", FailureKind.Dataset);
            change.AskForDataset();
        });
        return StepResult.After(backoff.After(context.Job.Failures.InARow));
    }

    /// <summary>A run that was not found is looked for again; after a few times it is believed to be gone.</summary>
    public async Task<StepResult> NoteMissingAsync(StepContext context, Action<JobChange> end)
    {
        if (context.Job.Failures.Missing + 1 >= MaxMissingLooks)
        {
            return await endings.FailAsync(context, Failure.RunVanished(), end);
        }

        await store.ChangeAsync(context, static change =>
        {
            change.EndWaiting();
            change.NoteFailure(ErrorCategory.UnknownRun, "The provider does not know the run.");
        });
        return StepResult.After(backoff.ToNextLook(TimeSpan.Zero));
    }
}
