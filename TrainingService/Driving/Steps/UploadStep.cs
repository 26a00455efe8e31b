using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Providers;

namespace Flurrty.TrainingService.Driving.Steps;

/// <summary>Uploads the attempt's own copy of the dataset.</summary>
internal sealed class UploadStep(
    ProviderCatalog providers, AccessChecks access, DatasetClient datasets, JobStore store, StepFailures failures) : IStep
{
    public async Task<StepResult> RunAsync(StepContext context)
    {
        if (await access.AfterFirstCheckAsync(context.Attempt.Provider, context.Lost) is { State: AccessState.Refused } refused)
        {
            return await failures.WaitForAccessAsync(context, new ProviderException(ErrorCategory.Authentication, refused.Detail));
        }

        try
        {
            var (dataset, refusal) = await datasets.GetAsync(context.Job.AccountId, context.Job.Id, context.Lost);
            if (dataset is null)
            {
                return await failures.AskForDatasetAgainAsync(context, refusal);
            }

            // The file is the attempt's own: a run can be told by it, and deleting it stops a request that is still on its way.
            var source = datasets.ToSource(context.Job.Id, dataset);
            var input = await providers[context.Attempt.Provider].UploadInputAsync(source, context.Lost);
            await store.ChangeAsync(context, change =>
            {
                change.Attempt.InputId = input.Id;
                change.Attempt.InputLocation = input.Location.AbsoluteUri;
                change.NoteWork(dataset.Bytes, input.Id);
                change.MoveAttempt(AttemptState.Uploaded);
                change.GoOn();
                change.Advance(25, change.Job.EstimatedCompletion);
            });
            return StepResult.Next;
        }
        catch (ProviderException problem)
        {
            return await failures.RetryOrFailAsync(context, problem);
        }
    }
}
