namespace Flurrty.TrainingService.Driving.Steps;

/// <summary>Ends a job for which no run was asked, because its caller wants so.</summary>
internal sealed class CancelStep(JobEndings endings) : IStep
{
    public Task<StepResult> RunAsync(StepContext context) => endings.CancelAsync(context, static change => change.EndUnsentAttempt());
}
