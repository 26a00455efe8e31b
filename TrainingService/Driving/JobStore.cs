using Flurrty.Messaging;
using Flurrty.ServiceDefaults.Data;
using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Persistence;
using Microsoft.EntityFrameworkCore;

namespace Flurrty.TrainingService.Driving;

/// <summary>A job that this process may work on, until the lease is lost.</summary>
internal sealed record LeasedJob(Guid Id, Guid AccountId, Guid Owner, long LeaseNumber, CancellationToken Lost);

/// <summary>A job as it was read, with the database's time of reading.</summary>
internal sealed record JobView(Job Job, Attempt? Attempt, DateTimeOffset Now);

/// <summary>Another process has the job now.</summary>
internal sealed class LeaseLostException() : Exception("The lease on the job is lost.");

/// <summary>Reads and changes leased jobs, each time in one short transaction of the job's account that is fenced by the lease's number.</summary>
internal sealed class JobStore(IServiceScopeFactory scopes)
{
    /// <summary>Reads a job that was just claimed, with the number of its lease.</summary>
    public Task<JobView?> ReadClaimedAsync(Guid id, Guid accountId, Guid owner, CancellationToken cancellationToken) =>
        InAccountAsync<JobView?>(
            accountId,
            async (db, _, token) => await LoadAsync(db.Jobs.AsNoTracking().Where(job => job.Id == id && job.LeaseOwner == owner), db, token) is { } loaded
                ? new JobView(loaded.Job, loaded.Attempt, loaded.Now)
                : null,
            cancellationToken);

    public Task<JobView> ReadAsync(LeasedJob lease, CancellationToken cancellationToken) =>
        InAccountAsync(
            lease.AccountId,
            async (db, _, token) =>
            {
                var loaded = await LoadAsync(db.Jobs.AsNoTracking().Where(job => job.Id == lease.Id && job.LeaseNumber == lease.LeaseNumber), db, token);
                return loaded is null ? throw new LeaseLostException() : new JobView(loaded.Job, loaded.Attempt, loaded.Now);
            },
            cancellationToken);

    /// <summary>Changes the job of a step. The change is lost together with the lease.</summary>
    public Task<JobView> ChangeAsync(StepContext context, Action<JobChange> change, TimeSpan? extendLease = null) =>
        ChangeAsync(context.Lease, change, context.Lost, extendLease);

    /// <summary>Changes the job. The change is lost together with the lease.</summary>
    public Task<JobView> ChangeAsync(LeasedJob lease, Action<JobChange> change, CancellationToken cancellationToken, TimeSpan? extendLease = null) =>
        InAccountAsync(
            lease.AccountId,
            async (db, outbox, token) =>
            {
                var loaded = await LoadAsync(db.Jobs.Where(job => job.Id == lease.Id && job.LeaseNumber == lease.LeaseNumber), db, token)
                    ?? throw new LeaseLostException();
                var work = new JobChange(db, outbox, loaded.Job, loaded.Attempt, loaded.Stage, loaded.Now);
                change(work);
                work.Complete();
                loaded.Job.UpdatedAt = loaded.Now;
                if (extendLease is { } lasting)
                {
                    var extended = await db.Jobs.Where(job => job.Id == lease.Id && job.LeaseNumber == lease.LeaseNumber)
                        .ExecuteUpdateAsync(set => set.SetProperty(job => job.LeaseUntil, _ => TrainingContext.Clock() + lasting), token);
                    if (extended == 0)
                    {
                        throw new LeaseLostException();
                    }
                }

                try
                {
                    await db.SaveChangesAsync(token);
                }
                catch (DbUpdateConcurrencyException)
                {
                    throw new LeaseLostException();
                }

                return new JobView(loaded.Job, work.CurrentAttempt, loaded.Now);
            },
            cancellationToken);

    /// <summary>Gives the job back, to be looked at after the delay; at once when a reason to look came since it was read; never again without one.</summary>
    public Task ReleaseAsync(LeasedJob lease, TimeSpan? delay, long wakesSeen, CancellationToken cancellationToken) =>
        InAccountAsync(
            lease.AccountId,
            async (db, _, token) =>
            {
                var pause = delay ?? TimeSpan.Zero;
                var never = delay is null;
                return await db.Database.ExecuteSqlAsync(
                    $"""
                    UPDATE jobs
                    SET lease_until = NULL, lease_owner = NULL, lease_instance = NULL,
                        next_look_at = CASE WHEN {never} AND wakes = {wakesSeen} THEN NULL
                                            WHEN wakes = {wakesSeen} THEN clock_timestamp() + {pause}
                                            ELSE clock_timestamp() END
                    WHERE id = {lease.Id} AND lease_number = {lease.LeaseNumber}
                    """,
                    token);
            },
            cancellationToken);

    private async Task<T> InAccountAsync<T>(
        Guid accountId,
        Func<TrainingContext, Outbox, CancellationToken, Task<T>> work,
        CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<TrainingContext>();
        var outbox = scope.ServiceProvider.GetRequiredService<Outbox>();
        return await db.AsAccountAsync(accountId, token => work(db, outbox, token), cancellationToken);
    }

    private static Task<Loaded?> LoadAsync(IQueryable<Job> jobs, TrainingContext db, CancellationToken cancellationToken) =>
        jobs.Select(job => new Loaded(
                job,
                db.Attempts.FirstOrDefault(attempt => attempt.JobId == job.Id && attempt.Number == job.AttemptNumber),
                db.Stages.FirstOrDefault(stage => stage.JobId == job.Id && stage.Number == job.StageNumber),
                TrainingContext.Clock()))
            .FirstOrDefaultAsync(cancellationToken);

    private sealed record Loaded(Job Job, Attempt? Attempt, JobStage? Stage, DateTimeOffset Now);
}
