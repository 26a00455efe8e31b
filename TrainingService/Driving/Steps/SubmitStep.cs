using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Providers;
using Flurrty.TrainingService.Webhooks;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Driving.Steps;

/// <summary>Buys a run: makes ready what may be repeated, then sends the one request that may not.</summary>
internal sealed class SubmitStep(
    ProviderCatalog providers,
    DatasetClient datasets,
    WebhookAddress webhooks,
    PublicUrl publicUrl,
    JobStore store,
    JobEndings endings,
    StepFailures failures,
    Backoff backoff,
    TrainingMetrics metrics,
    IOptions<DrivingOptions> options,
    TimeProvider time,
    ILogger<SubmitStep> logger) : IStep
{
    private readonly DrivingOptions _options = options.Value;

    public async Task<StepResult> RunAsync(StepContext context)
    {
        SubmissionPlan plan;
        var provider = providers[context.Attempt.Provider];
        try
        {
            var (dataset, refusal) = await datasets.GetAsync(context.Job.AccountId, context.Job.Id, context.Lost);
            if (dataset is null)
            {
                return await failures.AskForDatasetAgainAsync(context, refusal);
            }

            var parameters = context.Job.Parameters(dataset.TriggerWord);
            var input = new ProviderInput(context.Attempt.InputId!, new Uri(context.Attempt.InputLocation!));
            plan = await provider.PrepareAsync(context.Job.AccountId, parameters, input, context.Lost);
            if (context.Attempt.Posts > 0 && context.Attempt.DestinationMissing)
            {
                await provider.CreateDestinationAsync(plan, context.Lost);
            }
        }
        catch (ProviderException problem)
        {
            return await failures.RetryOrFailAsync(context, problem);
        }

        return await PostAsync(context, provider, plan);
    }

    /// <summary>What costs money. It is written down before, and nothing but this one request follows from having written it down.</summary>
    private async Task<StepResult> PostAsync(StepContext context, ITrainingProvider provider, SubmissionPlan plan)
    {
        var token = await publicUrl.WorksAfterFirstTryAsync(context.Lost) ? WebhookToken.Create() : null;
        var startedAt = time.GetTimestamp();
        context.Posting(true);
        try
        {
            // This write is the check of the lease right before the request: it is fenced, and it makes the lease outlast the request.
            await store.ChangeAsync(
                context,
                change =>
                {
                    var attempt = change.Attempt;
                    change.MoveAttempt(AttemptState.Posting);
                    attempt.Posts++;
                    attempt.FirstPostedAt ??= change.Now;
                    attempt.PostedAt = change.Now;
                    attempt.PostDeadlineAt = change.Now + _options.PostTimeout;
                    attempt.Destination = plan.Destination;
                    attempt.TrainerVersion = plan.TrainerVersion;
                    attempt.WebhookTokenHash = token?.Hash;
                },
                _options.PostLease);

            var spent = time.GetElapsedTime(startedAt);
            if (spent > _options.PostGrace)
            {
                // The process was paused. Nothing was sent, and nothing will be on the strength of that old check.
                await store.ChangeAsync(context, static change => change.MoveAttempt(AttemptState.Uploaded));
                return StepResult.Next;
            }

            var webhook = token is null ? null : webhooks.For(provider.Name, token);
            return await NoteOutcomeAsync(
                context, provider, await provider.SubmitAsync(plan, webhook, _options.PostTimeout - spent, CancellationToken.None));
        }
        finally
        {
            context.Posting(false);
        }
    }

    private async Task<StepResult> NoteOutcomeAsync(StepContext context, ITrainingProvider provider, SubmissionOutcome outcome)
    {
        switch (outcome)
        {
            case SubmissionOutcome.Created(var run):
                metrics.Submitted(context.Attempt.Provider);
                JobLog.Submitted(logger, context.Job.Id, context.Attempt.Number, run.Id);
                await store.ChangeAsync(context, change => change.NoteRun(run, provider));
                return StepResult.After(backoff.ToNextLook(TimeSpan.Zero));

            case SubmissionOutcome.Refused({ } problem, var destinationMissing):
                return await NoteRefusalAsync(context, problem, destinationMissing);

            case SubmissionOutcome.Unknown({ } problem):
                JobLog.OutcomeUnknown(logger, context.Job.Id, context.Attempt.Number, problem.Message);
                await store.ChangeAsync(context, change =>
                {
                    change.MoveAttempt(AttemptState.Unknown);
                    change.NoteFailure(problem);
                });
                return StepResult.Next;

            default:
                throw new InvalidOperationException($"There is no outcome {outcome.GetType().Name}.");
        }
    }

    /// <summary>The provider proved that it made no run: what is transient is asked for again within the attempt, everything else ends it.</summary>
    private async Task<StepResult> NoteRefusalAsync(StepContext context, ProviderException problem, bool destinationMissing)
    {
        if (destinationMissing && !context.Attempt.DestinationMissing)
        {
            await store.ChangeAsync(context, change =>
            {
                change.NoteFailure(problem);
                change.MoveAttempt(AttemptState.Uploaded);
                change.Attempt.DestinationMissing = true;
            });
            return StepResult.Next;
        }

        if (problem.Kind() == FailureKind.Access)
        {
            return await failures.WaitForAccessAsync(context, problem, static change => change.MoveAttempt(AttemptState.Uploaded));
        }

        if (!failures.MayRetry(context, problem))
        {
            return await endings.FailAsync(context, problem.ToFailure(), change =>
            {
                change.NoteFailure(problem);
                change.MoveAttempt(AttemptState.NotRun);
            });
        }

        await store.ChangeAsync(context, change =>
        {
            change.NoteFailure(problem);
            change.MoveAttempt(AttemptState.Uploaded);
        });
        JobLog.TryingAgain(logger, context.Job.Id, context.Job.State.ToText(), problem.Category.ToText(), problem.Message);
        var wait = backoff.After(context.Job.Failures.InARow);
        return StepResult.After(problem.RetryAfter > wait ? problem.RetryAfter.Value + Backoff.UpTo(TimeSpan.FromSeconds(1)) : wait);
    }
}
