namespace Flurrty.TrainingService.Jobs;

/// <summary>What a request to cancel a job results in.</summary>
internal enum CancelEffect
{
    /// <summary>There is no run and none is asked for: the job ends at once.</summary>
    Ends,

    /// <summary>There may be a run. That is found out first.</summary>
    WaitsForTheOutcome,

    /// <summary>There is a run: the provider is asked to stop it, and the job ends when that is confirmed.</summary>
    StopsTheRun,

    /// <summary>The run has succeeded and is paid for, or the job has ended: nothing.</summary>
    None,
}

/// <summary>Every way in which jobs and attempts move: step by step, and by command.</summary>
internal static class Transitions
{
    /// <summary>Whether a job may move so. Ends are final but for a retry; a new attempt goes back to submitting.</summary>
    public static bool MayBecome(this JobState from, JobState to) => (from, to) switch
    {
        (JobState.Failed, JobState.Accepted or JobState.Queued or JobState.NeedsReview or JobState.Collecting) => true,
        (JobState.Succeeded or JobState.Failed or JobState.Canceled, _) => false,
        (_, JobState.Failed or JobState.Canceled) => true,
        (JobState.Accepted, JobState.Preparing) => true,
        (JobState.Preparing, JobState.Submitting) => true,
        (JobState.Submitting, JobState.NeedsReview or JobState.Queued) => true,
        (JobState.NeedsReview, JobState.Submitting or JobState.Queued) => true,
        (JobState.Queued, JobState.Training or JobState.Collecting) => true,
        (JobState.Training, JobState.Collecting) => true,
        (JobState.Collecting, JobState.Publishing) => true,
        (JobState.Publishing, JobState.Succeeded) => true,
        _ => false,
    };

    /// <summary>Whether an attempt may move so. Only a proof that no run was made leads back from posting.</summary>
    public static bool MayBecome(this AttemptState from, AttemptState to) => (from, to) switch
    {
        (AttemptState.Posting, AttemptState.Uploaded) => true,
        (AttemptState.Posting or AttemptState.Unknown, AttemptState.Running or AttemptState.NotRun) => true,
        (AttemptState.Running, AttemptState.Succeeded or AttemptState.Failed or AttemptState.Canceled) => true,
        (AttemptState.Intended or AttemptState.Uploaded, AttemptState.NotRun) => true,
        (AttemptState.Intended, AttemptState.Uploaded) => true,
        (AttemptState.Uploaded, AttemptState.Posting) => true,
        (AttemptState.Posting, AttemptState.Unknown) => true,
        _ => false,
    };

    /// <summary>
    /// Where a failed job goes on after a retry. A run that was lost sight of is followed on, and what a finished one made is fetched;
    /// only when neither is possible is another one bought.
    /// </summary>
    /// <param name="last">The state of the last attempt; null when there is none.</param>
    /// <param name="isSpent">Whether its run left nothing that can still be fetched or used.</param>
    public static JobState OnRetry(AttemptState? last, bool isSpent) => last switch
    {
        AttemptState.Running => JobState.Queued,
        AttemptState.Posting or AttemptState.Unknown => JobState.NeedsReview,
        AttemptState.Succeeded when !isSpent => JobState.Collecting,
        _ => JobState.Accepted,
    };

    /// <summary>What a request to cancel a job results in, by where it stands.</summary>
    /// <param name="job">The state of the job.</param>
    /// <param name="attempt">The state of the attempt at work; null when there is none.</param>
    public static CancelEffect OnCancel(JobState job, AttemptState? attempt) => (job, attempt) switch
    {
        (JobState.Accepted or JobState.Preparing, _) => CancelEffect.Ends,
        (JobState.Submitting or JobState.NeedsReview, AttemptState.Posting or AttemptState.Unknown) => CancelEffect.WaitsForTheOutcome,
        (JobState.Submitting or JobState.NeedsReview, AttemptState.Running) => CancelEffect.StopsTheRun,
        (JobState.Submitting or JobState.NeedsReview, _) => CancelEffect.Ends,
        (JobState.Queued or JobState.Training, _) => CancelEffect.StopsTheRun,
        _ => CancelEffect.None,
    };
}
