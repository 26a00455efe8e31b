using Flurrty.TrainingService.Jobs;

namespace Flurrty.TrainingService.Driving.Steps;

/// <summary>Goes on with an attempt that turned out to have a run: it is followed, not bought again.</summary>
internal sealed class ResumeStep(JobStore store) : IStep
{
    public async Task<StepResult> RunAsync(StepContext context)
    {
        await store.ChangeAsync(context, static change => change.MoveTo(JobState.Queued));
        return StepResult.Next;
    }
}
