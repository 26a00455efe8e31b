namespace Flurrty.TrainingService.Jobs;

/// <summary>Where a job stands. It moves down this list; <see cref="NeedsReview"/> waits beside it.</summary>
internal enum JobState
{
    Accepted,
    Preparing,
    Submitting,

    /// <summary>The provider may or may not have made a run; nothing is spent until that is known.</summary>
    NeedsReview,
    Queued,
    Training,
    Collecting,
    Publishing,
    Succeeded,
    Failed,
    Canceled,
}

internal static class JobStates
{
    public static string ToText(this JobState state) => state switch
    {
        JobState.Accepted => "accepted",
        JobState.Preparing => "preparing",
        JobState.Submitting => "submitting",
        JobState.NeedsReview => "needs_review",
        JobState.Queued => "queued",
        JobState.Training => "training",
        JobState.Collecting => "collecting",
        JobState.Publishing => "publishing",
        JobState.Succeeded => "succeeded",
        JobState.Failed => "failed",
        JobState.Canceled => "canceled",
    };

    public static JobState Parse(string text) => Enum.GetValues<JobState>().First(state => string.Equals(state.ToText(), text, StringComparison.Ordinal));

    public static bool IsTerminal(this JobState state) => state is JobState.Succeeded or JobState.Failed or JobState.Canceled;

    /// <summary>The progress that reaching a state stands for.</summary>
    public static int Progress(this JobState state) => state switch
    {
        JobState.Accepted => 0,
        JobState.Preparing => 5,
        JobState.Submitting => 20,
        JobState.NeedsReview => 25,
        JobState.Queued => 30,
        JobState.Training => 30,
        JobState.Collecting => 90,
        JobState.Publishing => 95,
        JobState.Succeeded => 100,
        JobState.Failed or JobState.Canceled => 0,
    };
}
