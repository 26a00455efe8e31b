using System.Diagnostics;
using Flurrty.Contracts.Training;
using Flurrty.Messaging;
using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Persistence;
using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace Flurrty.TrainingService.Trainings;

/// <summary>Opens the job of a version. A repeat reports where it stands.</summary>
internal sealed class TrainIdentityConsumer(TrainingContext db, Outbox outbox) : AccountConsumer<TrainIdentity, TrainingContext>(db)
{
    protected override Guid AccountOf(TrainIdentity message) => message.AccountId;

    protected override async Task HandleAsync(TrainIdentity message, CancellationToken cancellationToken)
    {
        if (await Db.Jobs.SingleOrDefaultAsync(job => job.Id == message.JobId, cancellationToken) is { } known)
        {
            outbox.PublishState(Db, known);
            await Db.WakeAsync(known.Id, cancellationToken);
            return;
        }

        var now = await Db.NowAsync(cancellationToken);
        var job = new Job
        {
            Id = message.JobId,
            AccountId = message.AccountId,
            IdentityId = message.IdentityId,
            CausedBy = message.CausedBy,
            TraceParent = Activity.Current?.Id,
            State = JobState.Accepted,
            RequestedProvider = message.Provider,
            Trainer = message.Trainer,
            Preset = message.Preset,
            Steps = message.Steps,
            Rank = message.Rank,
            LearningRate = message.LearningRate,
            Resolution = message.Resolution,
            StateSince = now,
            CreatedAt = now,
            UpdatedAt = now,
            NextLookAt = now,
        };
        Db.Jobs.Add(job);
        var change = new JobChange(Db, outbox, job, attempt: null, stage: null, now);
        change.Open();
        change.Complete();
        await Db.NotifyAsync(cancellationToken);
    }
}

/// <summary>Asks for the end of a job. Where there is a run, the provider must confirm it.</summary>
internal sealed class CancelTrainingConsumer(TrainingContext db, Outbox outbox) : AccountConsumer<CancelTraining, TrainingContext>(db)
{
    protected override Guid AccountOf(CancelTraining message) => message.AccountId;

    protected override async Task HandleAsync(CancelTraining message, CancellationToken cancellationToken)
    {
        var job = await Db.Jobs.SingleOrDefaultAsync(row => row.Id == message.JobId, cancellationToken);
        if (job is null)
        {
            // It overtook the command to train, which must find the job canceled.
            var now = await Db.NowAsync(cancellationToken);
            job = new Job
            {
                Id = message.JobId,
                AccountId = message.AccountId,
                CausedBy = message.CausedBy,
                State = JobState.Canceled,
                RequestedProvider = "auto",
                Preset = "standard",
                Resolution = "512",
                StateSince = now,
                CancelRequestedAt = now,
                CreatedAt = now,
                UpdatedAt = now,
            };
            Db.Jobs.Add(job);
            var change = new JobChange(Db, outbox, job, attempt: null, stage: null, now);
            change.Open();
            change.Complete();
            return;
        }

        if (job.State.IsTerminal())
        {
            outbox.PublishState(Db, job);
            return;
        }

        await Db.Jobs.Where(row => row.Id == job.Id && row.CancelRequestedAt == null)
            .ExecuteUpdateAsync(set => set.SetProperty(row => row.CancelRequestedAt, _ => TrainingContext.Clock()), cancellationToken);
        await Db.WakeAsync(job.Id, cancellationToken);
    }
}

/// <summary>Opens a failed job again, where the table of transitions says.</summary>
internal sealed class RetryTrainingConsumer(TrainingContext db, Outbox outbox) : AccountConsumer<RetryTraining, TrainingContext>(db)
{
    protected override Guid AccountOf(RetryTraining message) => message.AccountId;

    protected override async Task HandleAsync(RetryTraining message, CancellationToken cancellationToken)
    {
        // The driver may be about to claim the job once more; it waits for the end of this.
        await Db.Database.ExecuteSqlAsync($"SELECT FROM jobs WHERE id = {message.JobId} FOR UPDATE", cancellationToken);
        var job = await Db.Jobs.SingleOrDefaultAsync(row => row.Id == message.JobId, cancellationToken);
        if (job is null)
        {
            return;
        }

        if (job.State != JobState.Failed || message.Revision <= job.RetryRevision)
        {
            outbox.PublishState(Db, job);
            return;
        }

        var now = await Db.NowAsync(cancellationToken);
        var attempt = await Db.Attempts.SingleOrDefaultAsync(row => row.JobId == job.Id && row.Number == job.AttemptNumber, cancellationToken);
        var stage = await Db.Stages.SingleOrDefaultAsync(row => row.JobId == job.Id && row.Number == job.StageNumber, cancellationToken);
        var change = new JobChange(Db, outbox, job, attempt, stage, now);
        change.Retry(message.Revision);
        change.Complete();
        await Db.NotifyAsync(cancellationToken);
    }
}

internal sealed class TrainIdentityConsumerDefinition() : CommandConsumerDefinition<TrainIdentity, TrainIdentityConsumer>(concurrency: 16);

internal sealed class CancelTrainingConsumerDefinition() : CommandConsumerDefinition<CancelTraining, CancelTrainingConsumer>(concurrency: 8);

internal sealed class RetryTrainingConsumerDefinition() : CommandConsumerDefinition<RetryTraining, RetryTrainingConsumer>(concurrency: 8);

/// <summary>A command's queue is named after the command.</summary>
internal abstract class CommandConsumerDefinition<TCommand, TConsumer> : ConsumerDefinition<TConsumer>
    where TCommand : class
    where TConsumer : class, IConsumer
{
    protected CommandConsumerDefinition(int concurrency)
    {
        EndpointName = Outbox.QueueOf<TCommand>();
        ConcurrentMessageLimit = concurrency;
    }
}
