using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Providers;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Driving.Steps;

/// <summary>Reads runs from their providers, a bounded number at once.</summary>
internal sealed class RunReads(IOptions<DrivingOptions> options) : IDisposable
{
    private readonly SemaphoreSlim _slots = new(options.Value.Looks);

    /// <summary>Reads the attempt's run; when it is not found by its name, in the list too.</summary>
    public async Task<ProviderRun?> LookOrFindAsync(StepContext context, ITrainingProvider provider) =>
        await InSlotAsync(token => provider.LookAsync(context.Attempt.RunId!, token), context.Lost) ?? (await FindAsync(context, provider)).Run;

    /// <summary>Reads the list for the attempt's run, by its name where the provider has given it one.</summary>
    public Task<RunSearch> FindAsync(StepContext context, ITrainingProvider provider) => InSlotAsync(
        token => provider.FindAsync(context.Attempt.InputId!, context.Attempt.RunId, context.Attempt.FirstPostedAt!.Value, token), context.Lost);

    public void Dispose() => _slots.Dispose();

    private async Task<T> InSlotAsync<T>(Func<CancellationToken, Task<T>> read, CancellationToken cancellationToken)
    {
        await _slots.WaitAsync(cancellationToken);
        try
        {
            return await read(cancellationToken);
        }
        finally
        {
            _slots.Release();
        }
    }
}

/// <summary>What is written down of a run.</summary>
internal static class RunNotes
{
    /// <summary>The provider has a run of this attempt, which is followed from now on.</summary>
    public static void NoteRun(this JobChange change, ProviderRun run, ITrainingProvider provider)
    {
        var attempt = change.Attempt;
        attempt.RunId = run.Id;
        attempt.ProviderStatus = run.Status.ToString();
        attempt.ErrorCategory = null;
        attempt.ErrorDetail = null;
        change.MoveAttempt(AttemptState.Running);
        change.NoteWork(bytes: null, run.Id);
        var estimate = provider.Estimate(change.Job.Parameters(triggerWord: string.Empty));
        change.Job.EstimatedCompletion = change.Now + ((estimate.MinTime + estimate.MaxTime) / 2);
        change.MoveTo(JobState.Queued);
    }

    /// <summary>What a look has shown.</summary>
    public static void NoteLook(this JobChange change, ProviderRun run)
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
}
