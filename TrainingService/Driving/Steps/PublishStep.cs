namespace Flurrty.TrainingService.Driving.Steps;

/// <summary>Deletes the dataset's copy at the provider and tells that the model is there.</summary>
internal sealed class PublishStep(JobEndings endings) : IStep
{
    public async Task<StepResult> RunAsync(StepContext context)
    {
        await endings.RevokeInputAsync(context, context.View);
        return await endings.SucceedAsync(context);
    }
}
