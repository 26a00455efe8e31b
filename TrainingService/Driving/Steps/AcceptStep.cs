using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Providers;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Driving.Steps;

/// <summary>Gives the job to a provider, in the mode that this has now, and asks for its dataset.</summary>
internal sealed class AcceptStep(
    ProviderCatalog providers, AccessChecks access, JobStore store, JobEndings endings, StepFailures failures, IOptions<DrivingOptions> options) : IStep
{
    public async Task<StepResult> RunAsync(StepContext context)
    {
        if (providers.Find(context.Job.RequestedProvider) is not { } provider)
        {
            return await endings.FailAsync(context, new Failure(ErrorCategory.Validation, "unknown_provider", Retryable: false));
        }

        if (await access.AfterFirstCheckAsync(provider.Name, context.Lost) is { State: AccessState.Refused } refused)
        {
            return await failures.WaitForAccessAsync(
                context, new ProviderException(ErrorCategory.Authentication, refused.Detail), change => change.Job.Provider = provider.Name);
        }

        await store.ChangeAsync(context, change =>
        {
            change.Job.Provider = provider.Name;
            change.Job.ProviderMode = provider.Mode;
            change.MoveTo(JobState.Preparing);
            change.AskForDataset();
        });
        return StepResult.After(options.Value.AskDatasetEvery);
    }
}
