using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Providers;

namespace Flurrty.TrainingService.Driving.Steps;

/// <summary>Ends jobs. What still lies at the provider for an attempt that has ended is deleted.</summary>
internal sealed class JobEndings(JobStore store, ProviderCatalog providers, TrainingMetrics metrics, ILogger<JobEndings> logger)
{
    /// <summary>Ends the job without a model.</summary>
    public async Task<StepResult> FailAsync(StepContext context, Failure failure, Action<JobChange>? before = null)
    {
        var view = await NoteFailureAsync(context, failure, before);
        await RevokeInputAsync(context, view);
        return StepResult.End;
    }

    /// <summary>Ends the job without a model and without a word to its provider.</summary>
    public async Task<StepResult> FailHereAsync(StepContext context, Failure failure, Action<JobChange>? before = null)
    {
        await NoteFailureAsync(context, failure, before);
        return StepResult.End;
    }

    public async Task<StepResult> CancelAsync(StepContext context, Action<JobChange>? before = null)
    {
        var view = await store.ChangeAsync(context, change =>
        {
            before?.Invoke(change);
            change.Cancel();
        });
        metrics.Ended(view.Job);
        JobLog.Canceled(logger, context.Job.Id);
        await RevokeInputAsync(context, view);
        return StepResult.End;
    }

    public async Task<StepResult> SucceedAsync(StepContext context)
    {
        var view = await store.ChangeAsync(context, static change => change.Succeed());
        metrics.Ended(view.Job);
        JobLog.Succeeded(logger, context.Job.Id, view.Job.ModelBytes ?? 0);
        return StepResult.End;
    }

    /// <summary>Deletes the attempt's input once the attempt has ended. When that fails the provider's own expiry does it.</summary>
    public async Task RevokeInputAsync(StepContext context, JobView view)
    {
        if (view.Attempt is not { InputId: { } input, InputDeletedAt: null } attempt || !attempt.State.IsEnded())
        {
            return;
        }

        try
        {
            await providers[attempt.Provider].RevokeInputAsync(input, context.Lost);
            await store.ChangeAsync(context, static change => change.Attempt.InputDeletedAt = change.Now);
        }
        catch (ProviderException problem)
        {
            JobLog.InputKept(logger, context.Job.Id, problem.Message);
        }
    }

    private async Task<JobView> NoteFailureAsync(StepContext context, Failure failure, Action<JobChange>? before)
    {
        var view = await store.ChangeAsync(context, change =>
        {
            before?.Invoke(change);
            change.Fail(failure);
        });
        metrics.Ended(view.Job);
        JobLog.Failed(logger, context.Job.Id, failure.Code, failure.Category.ToText(), failure.Detail);
        return view;
    }
}
