namespace Flurrty.TrainingService.Driving.Steps;

/// <summary>Cancels a job for which no run was requested.</summary>
internal sealed class CancelStep(JobEndings endings) : IStep
{
    public Task<StepResult> RunAsync(StepContext context) => endings.CancelAsync(context, static change => change.EndUnsentAttempt());
}
