namespace Flurrty.TrainingService.Driving.Steps;

internal static class StepServices
{
    /// <summary>Adds the steps and what they share.</summary>
    public static void AddSteps(this IServiceCollection services)
    {
        services.AddSingleton<StepTable>();
        services.AddSingleton<OtherModeStep>();
        services.AddSingleton<CancelStep>();
        services.AddSingleton<AcceptStep>();
        services.AddSingleton<PrepareStep>();
        services.AddSingleton<UploadStep>();
        services.AddSingleton<SubmitStep>();
        services.AddSingleton<ReviewStep>();
        services.AddSingleton<ResumeStep>();
        services.AddSingleton<NextAttemptStep>();
        services.AddSingleton<StopStep>();
        services.AddSingleton<FollowStep>();
        services.AddSingleton<CollectStep>();
        services.AddSingleton<PublishStep>();
        services.AddSingleton<JobEndings>();
        services.AddSingleton<StepFailures>();
        services.AddSingleton<RunReads>();
    }
}
