using Flurrty.TrainingService.Jobs;

namespace Flurrty.TrainingService.Driving;

/// <summary>A leased job as it stands at the beginning of one step.</summary>
/// <param name="Lease">The lease that every change is fenced by.</param>
/// <param name="View">The job as it was read.</param>
/// <param name="Posting">Says whether a request for a run is on its way, which a stop waits for.</param>
internal sealed record StepContext(LeasedJob Lease, JobView View, Action<bool> Posting)
{
    public Job Job => View.Job;

    public Attempt Attempt => View.Attempt ?? throw new InvalidOperationException($"The job {Job.Id} has no attempt.");

    public DateTimeOffset Now => View.Now;

    public CancellationToken Lost => Lease.Lost;

    /// <summary>Whether a phase takes longer than it may. Time spent waiting for somebody does not count.</summary>
    public bool IsOverdue(TimeSpan timeout) => Job.WaitingReason is null && Now - Job.StateSince > timeout;
}

/// <summary>One thing that is done for a job: outside the database first, then written down.</summary>
internal interface IStep
{
    Task<StepResult> RunAsync(StepContext context);
}
