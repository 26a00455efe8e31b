using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Providers;

namespace Flurrty.TrainingService.Driving.Steps;

/// <summary>
/// A job that was begun in another mode than its provider has now: nothing of it is sent there. What may be running for money is followed
/// when that mode is back; what was begun in the Sandbox fails.
/// </summary>
internal sealed class OtherModeStep(ProviderCatalog providers, JobEndings endings, ILogger<OtherModeStep> logger) : IStep
{
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    public bool Applies(Job job) =>
        job is { ProviderMode: { } begunIn, Provider: { } provider }
        && job.State != JobState.Accepted
        && providers.ModeOf(provider) != begunIn;

    public async Task<StepResult> RunAsync(StepContext context)
    {
        var mode = providers.ModeOf(context.Job.Provider!).ToText();
        if (context.Job.ProviderMode != ProviderMode.Live)
        {
            return await endings.FailHereAsync(context, Failure.ModeChanged(mode), static change => change.EndUnsentAttempt());
        }

        if (context.Job.CancelRequested && context.View.Attempt is null)
        {
            return await endings.CancelAsync(context);
        }

        JobLog.OtherMode(logger, context.Job.Id, context.Job.Provider!, mode);
        return StepResult.After(Pause);
    }
}
