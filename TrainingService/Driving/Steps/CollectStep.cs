using Amazon.Runtime;
using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Models;
using Flurrty.TrainingService.Providers;
using Flurrty.TrainingService.Publishing;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Driving.Steps;

/// <summary>Fetches what a finished run made, checks it and puts it into our own store.</summary>
internal sealed class CollectStep(
    ProviderCatalog providers,
    RunReads reads,
    ModelFetch fetch,
    ModelStore models,
    JobStore store,
    JobEndings endings,
    StepFailures failures,
    Backoff backoff,
    IOptions<DrivingOptions> options,
    ILogger<CollectStep> logger) : IStep, IDisposable
{
    /// <summary>Damaged downloads of a model before it counts as damaged at the provider.</summary>
    private const int MaxDamagedDownloads = 2;

    private readonly DrivingOptions _options = options.Value;
    private readonly SemaphoreSlim _slots = new(options.Value.Collects);

    public async Task<StepResult> RunAsync(StepContext context)
    {
        if (context.IsOverdue(_options.CollectTimeout))
        {
            return await endings.FailAsync(context, DownloadFailed("It took too long."));
        }

        await _slots.WaitAsync(context.Lost);
        try
        {
            return await CollectAsync(context, providers[context.Attempt.Provider]);
        }
        catch (ProviderException problem)
        {
            return await TryLaterAsync(context, problem);
        }
        catch (Exception broken) when (broken is AmazonServiceException or AmazonClientException or HttpRequestException or IOException
            || (broken is OperationCanceledException && !context.Lost.IsCancellationRequested))
        {
            return await TryLaterAsync(context, broken is OperationCanceledException
                ? new ProviderException(ErrorCategory.Timeout, "The model was not fetched in time.", inner: broken)
                : new ProviderException(ErrorCategory.Network, $"The model could not be stored ({broken.GetType().Name}).", inner: broken));
        }
        finally
        {
            _slots.Release();
        }
    }

    public void Dispose() => _slots.Dispose();

    private async Task<StepResult> CollectAsync(StepContext context, ITrainingProvider provider)
    {
        ProviderRun? run;
        try
        {
            // Read again: the link lives a short while only, and a webhook's text is no proof.
            run = await reads.LookOrFindAsync(context, provider);
        }
        catch (ProviderException problem) when (problem.Kind() == FailureKind.Access)
        {
            return await failures.WaitForAccessAsync(context, problem);
        }

        if (run is null)
        {
            return await failures.NoteMissingAsync(context, static change => change.Attempt.IsSpent = true);
        }

        if (run.Artifact is not { } artifact)
        {
            return await NoteNoArtifactAsync(context, run);
        }

        if (context.Job.WaitingReason is not null)
        {
            await store.ChangeAsync(context, static change => change.GoOn());
        }

        return await FetchAsync(context, provider, run, artifact);
    }

    private async Task<StepResult> FetchAsync(StepContext context, ITrainingProvider provider, ProviderRun run, Uri artifact)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(context.Lost);
        limit.CancelAfter(_options.DownloadTimeout);
        try
        {
            await using var model = await fetch.FetchAsync(provider, artifact, limit.Token);
            var key = await models.StoreAsync(context.Job, model, limit.Token);
            await store.ChangeAsync(context, change =>
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
                JobLog.DidNothing(logger, context.Job.Id);
            }

            return StepResult.Next;
        }
        catch (ModelInvalidException invalid) when (context.Job.Failures.Damaged + 1 < MaxDamagedDownloads)
        {
            await store.ChangeAsync(context, change => change.NoteFailure(ErrorCategory.FileError, invalid.Message, FailureKind.Damaged));
            return StepResult.After(backoff.After(context.Job.Failures.InARow));
        }
        catch (ModelInvalidException invalid)
        {
            return await endings.FailAsync(
                context,
                new Failure(ErrorCategory.FileError, FailureCodes.ModelInvalid, Retryable: true, invalid.Message),
                static change => change.Attempt.IsSpent = true);
        }
    }

    /// <summary>A link may not stand there yet. Data that the provider says it has removed will not come back.</summary>
    private async Task<StepResult> NoteNoArtifactAsync(StepContext context, ProviderRun run)
    {
        var detail = run.DataRemoved ? "The provider has removed the artifact." : "The provider does not offer the artifact.";
        if (run.DataRemoved || context.Job.Failures.Missing + 1 >= _options.CollectTries)
        {
            return await endings.FailAsync(context, DownloadFailed(detail), change => change.Attempt.IsSpent = run.DataRemoved);
        }

        await store.ChangeAsync(context, change => change.NoteFailure(ErrorCategory.UnknownRun, detail));
        return StepResult.After(backoff.After(context.Job.Failures.InARow));
    }

    /// <summary>The run was paid for: whatever keeps its model from us is tried again until the phase's timeout, and a retry goes on from here.</summary>
    private async Task<StepResult> TryLaterAsync(StepContext context, ProviderException problem)
    {
        await store.ChangeAsync(context, change => change.NoteFailure(problem, FailureKind.Transient));
        JobLog.TryingAgain(logger, context.Job.Id, context.Job.State.ToText(), problem.Category.ToText(), problem.Message);
        return StepResult.After(backoff.After(problem, context.Job.Failures.InARow));
    }

    private static Failure DownloadFailed(string detail) => new(ErrorCategory.Network, FailureCodes.ModelDownloadFailed, Retryable: true, detail);
}
