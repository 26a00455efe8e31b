using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Providers;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Driving.Steps;

/// <summary>Waits for the dataset, then writes down the intent to buy a run.</summary>
internal sealed class PrepareStep(DatasetClient datasets, JobStore store, JobEndings endings, IOptions<DrivingOptions> options) : IStep
{
    private readonly DrivingOptions _options = options.Value;

    public async Task<StepResult> RunAsync(StepContext context)
    {
        var job = context.Job;
        if (job.DatasetRefusedCode is { } code)
        {
            return await endings.FailAsync(context, Failure.DatasetRefused(code));
        }

        if (job.DatasetReady)
        {
            await store.ChangeAsync(context, static change =>
            {
                change.NoteWork(change.Job.DatasetBytes, providerId: null);
                change.OpenAttempt(change.Job.Provider!);
                change.MoveTo(JobState.Submitting);
            });
            return StepResult.Next;
        }

        if (context.Now - job.StateSince > _options.DatasetTimeout)
        {
            return await endings.FailAsync(context, Failure.Timeout("preparing"));
        }

        if (context.Now - job.DatasetAskedAt < _options.AskDatasetEvery)
        {
            return StepResult.After(_options.AskDatasetEvery);
        }

        // Asked again, because the broker may have lost the question or the answer.
        await store.ChangeAsync(context, static change => change.AskForDataset());
        try
        {
            if (await datasets.GetAsync(job.AccountId, job.Id, context.Lost) is { Dataset: { } dataset })
            {
                await store.ChangeAsync(context, change =>
                {
                    change.Job.DatasetReady = true;
                    change.Job.DatasetBytes = dataset.Bytes;
                    change.Job.DatasetPhotos = dataset.PhotoCount;
                });
                return StepResult.Next;
            }
        }
        catch (ProviderException)
        {
            // The next question comes soon enough.
        }

        return StepResult.After(_options.AskDatasetEvery);
    }
}
