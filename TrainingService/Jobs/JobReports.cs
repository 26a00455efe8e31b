using Flurrty.Contracts.Training;
using Flurrty.Contracts.Uploads;
using Flurrty.Messaging;
using Microsoft.EntityFrameworkCore;

namespace Flurrty.TrainingService.Jobs;

/// <summary>The messages that tell others about a job, added to the transaction that changes it.</summary>
internal static class JobReports
{
    /// <summary>Publishes where the job stands.</summary>
    public static void PublishState(this Outbox outbox, DbContext db, Job job)
    {
        switch (job.State)
        {
            case JobState.Succeeded:
                outbox.Publish(db, job.AccountId, new TrainingSucceeded
                {
                    AccountId = job.AccountId,
                    CausedBy = job.CausedBy,
                    JobId = job.Id,
                    Revision = job.Revision,
                    Provider = job.Provider!,
                    ModelBytes = job.ModelBytes!.Value,
                    ModelSha256 = job.ModelSha256!,
                    TrainedAt = job.TrainedAt!.Value,
                });
                break;
            case JobState.Failed:
                outbox.Publish(db, job.AccountId, new TrainingFailed
                {
                    AccountId = job.AccountId,
                    CausedBy = job.CausedBy,
                    JobId = job.Id,
                    Revision = job.Revision,
                    Category = job.FailureCategory!,
                    Code = job.FailureCode!,
                    Retryable = job.FailureRetryable,
                });
                break;
            case JobState.Canceled:
                outbox.Publish(db, job.AccountId, new TrainingCanceled
                {
                    AccountId = job.AccountId,
                    CausedBy = job.CausedBy,
                    JobId = job.Id,
                    Revision = job.Revision,
                });
                break;
            default:
                outbox.Publish(db, job.AccountId, new TrainingAdvanced
                {
                    AccountId = job.AccountId,
                    CausedBy = job.CausedBy,
                    JobId = job.Id,
                    Revision = job.Revision,
                    Stage = job.State.ToText(),
                    Progress = job.Progress,
                    Attempt = job.AttemptNumber,
                    Provider = job.Provider,
                    EstimatedCompletion = job.EstimatedCompletion,
                    WaitingReason = job.WaitingReason?.ToText(),
                    WaitingUntil = job.WaitingUntil,
                });
                break;
        }
    }

    public static void AskForDataset(this Outbox outbox, DbContext db, Job job) =>
        outbox.Send(db, job.AccountId, new BuildDataset { AccountId = job.AccountId, CausedBy = job.CausedBy, JobId = job.Id, Revision = job.Revision });

    public static void ReleaseDataset(this Outbox outbox, DbContext db, Job job) =>
        outbox.Send(db, job.AccountId, new ReleaseDataset { AccountId = job.AccountId, CausedBy = job.CausedBy, JobId = job.Id, Revision = job.Revision });
}
