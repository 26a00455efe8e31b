using Flurrty.TrainingService.Jobs;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Driving.Steps;

/// <summary>The last attempt made no run: another may be bought, while the job's allowance lasts.</summary>
internal sealed class NextAttemptStep(JobStore store, JobEndings endings, IOptions<DrivingOptions> options) : IStep
{
    public async Task<StepResult> RunAsync(StepContext context)
    {
        if (string.Equals(context.Attempt.ErrorCategory, ErrorCategory.Validation.ToText(), StringComparison.Ordinal))
        {
            return await endings.FailAsync(
                context, new Failure(ErrorCategory.Validation, FailureCodes.ProviderRejectedInput, Retryable: false, context.Attempt.ErrorDetail));
        }

        if (context.Job.AttemptNumber - context.Job.AttemptsBeforeRetry >= options.Value.MaxAttempts)
        {
            return await endings.FailAsync(
                context, new Failure(ErrorCategory.ServiceError, FailureCodes.ProviderUnavailable, Retryable: true, context.Attempt.ErrorDetail));
        }

        await store.ChangeAsync(context, static change =>
        {
            change.OpenAttempt(change.Job.Provider!);
            if (change.Job.State == JobState.NeedsReview)
            {
                change.MoveTo(JobState.Submitting);
            }
        });
        return StepResult.Next;
    }
}
