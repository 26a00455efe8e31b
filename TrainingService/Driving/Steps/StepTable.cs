using Flurrty.TrainingService.Jobs;

namespace Flurrty.TrainingService.Driving.Steps;

/// <summary>Which step a job is due for where it stands.</summary>
internal sealed class StepTable(
    OtherModeStep otherMode,
    CancelStep cancel,
    AcceptStep accept,
    PrepareStep prepare,
    UploadStep upload,
    SubmitStep submit,
    ReviewStep review,
    ResumeStep resume,
    NextAttemptStep nextAttempt,
    StopStep stop,
    FollowStep follow,
    CollectStep collect,
    PublishStep publish)
{
    /// <summary>The step of a job that has not ended.</summary>
    public IStep For(StepContext context)
    {
        if (otherMode.Applies(context.Job))
        {
            return otherMode;
        }

        if (context.Job.CancelRequested && Transitions.OnCancel(context.Job.State, context.View.Attempt?.State) == CancelEffect.Ends)
        {
            return cancel;
        }

        return context.Job.State switch
        {
            JobState.Accepted => accept,
            JobState.Preparing => prepare,
            JobState.Submitting or JobState.NeedsReview => context.Attempt.State switch
            {
                AttemptState.Intended => upload,
                AttemptState.Uploaded => submit,
                AttemptState.Posting or AttemptState.Unknown => review,
                AttemptState.Running => resume,
                AttemptState.Succeeded or AttemptState.Failed or AttemptState.Canceled or AttemptState.NotRun => nextAttempt,
            },
            JobState.Queued or JobState.Training => stop.IsDue(context) ? stop : follow,
            JobState.Collecting => collect,
            JobState.Publishing => publish,
            JobState.Succeeded or JobState.Failed or JobState.Canceled => throw new InvalidOperationException($"The job {context.Job.Id} has ended."),
        };
    }
}
