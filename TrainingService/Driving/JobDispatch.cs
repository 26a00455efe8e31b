using System.Collections.Concurrent;
using System.Diagnostics;
using Flurrty.ServiceDefaults.Data;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Flurrty.TrainingService.Driving;

/// <summary>
/// Claims due jobs and has them worked on, a bounded number at once, and renews their leases meanwhile.
/// The loop is level-triggered: notifications only make it look sooner, nothing depends on one.
/// </summary>
internal sealed partial class JobDispatch(
    [FromKeyedServices(Dispatcher.Key)] NpgsqlDataSource dispatcher,
    WakeListener listener,
    JobStore store,
    IServiceProvider services,
    IOptions<DrivingOptions> options,
    TimeProvider time,
    ILogger<JobDispatch> logger) : BackgroundService
{
    private static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(4);

    // Hosted services are made before options are validated. What needs valid ones waits, so that a start tells all errors at once.
    private readonly Lazy<JobRunner> _runner = new(services.GetRequiredService<JobRunner>);
    private readonly Lazy<DrivingOptions> _lazyOptions = new(() => options.Value);
    private readonly ConcurrentDictionary<(Guid Id, Guid Owner), Work> _works = new();

    private DrivingOptions Options => _lazyOptions.Value;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var stopWork = new CancellationTokenSource();
        var renewing = RenewAsync(stopWork.Token);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (listener.IsAlive)
                {
                    await ClaimAsync(stoppingToken, stopWork.Token);
                }

                await listener.WaitAsync(Options.Poll, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception exception) when (exception is NpgsqlException or TimeoutException)
            {
                Log.ClaimFailed(logger, exception.Message);
                await Task.Delay(Options.Poll, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        // A request for a run that is on its way is worth waiting for: its outcome would be unknown.
        foreach (var work in _works.Values.Where(static work => !work.IsPosting))
        {
            await work.Cancellation.CancelAsync();
        }

        await Task.WhenAll(_works.Values.Select(static work => work.Running ?? Task.CompletedTask))
            .WaitAsync(DrainTime, time, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await stopWork.CancelAsync();
        await renewing;
    }

    private async Task ClaimAsync(CancellationToken stoppingToken, CancellationToken stopWork)
    {
        while (Options.Parallelism - _works.Count is > 0 and var room)
        {
            var owner = Guid.CreateVersion7();
            var claimed = new List<(Guid Id, Guid AccountId)>();
            await using (var command = dispatcher.CreateCommand("SELECT id, account_id FROM claim_jobs($1, $2, $3, $4)"))
            {
                command.Parameters.Add(new NpgsqlParameter { Value = room });
                command.Parameters.Add(new NpgsqlParameter { Value = Options.Lease });
                command.Parameters.Add(new NpgsqlParameter { Value = listener.Instance });
                command.Parameters.Add(new NpgsqlParameter { Value = owner });
                await using var reader = await command.ExecuteReaderAsync(stoppingToken);
                while (await reader.ReadAsync(stoppingToken))
                {
                    claimed.Add((reader.GetGuid(0), reader.GetGuid(1)));
                }
            }

            foreach (var (id, accountId) in claimed)
            {
                var work = new Work(id, owner, CancellationTokenSource.CreateLinkedTokenSource(stopWork)) { RenewedAt = time.GetTimestamp() };
                _works[(id, owner)] = work;
                work.Running = Task.Run(() => WorkAsync(work, accountId), CancellationToken.None);
            }

            if (claimed.Count < room)
            {
                return;
            }
        }
    }

    private async Task WorkAsync(Work work, Guid accountId)
    {
        try
        {
            // The loop's own work is nobody's request: each job brings its trace.
            Activity.Current = null;
            if (await store.ReadClaimedAsync(work.JobId, accountId, work.Owner, work.Cancellation.Token) is { } view)
            {
                var lease = new LeasedJob(work.JobId, accountId, work.Owner, view.Job.LeaseNumber, work.Cancellation.Token);
                await _runner.Value.RunAsync(lease, view, posting => work.IsPosting = posting);
            }
        }
        catch (OperationCanceledException) when (work.Cancellation.IsCancellationRequested)
        {
        }
        catch (Exception exception)
        {
            // The lease runs out and the job is looked at again.
            Log.WorkFailed(logger, work.JobId, exception);
        }
        finally
        {
            _works.TryRemove((work.JobId, work.Owner), out _);
            work.Cancellation.Dispose();
            listener.Raise();
        }
    }

    private async Task RenewAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Options.Lease / 3, time);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                var works = _works.Values.ToArray();
                if (works.Length == 0)
                {
                    continue;
                }

                var askedAt = time.GetTimestamp();
                try
                {
                    var renewed = await RenewAsync(works, cancellationToken);
                    foreach (var work in works)
                    {
                        if (renewed.Contains(work.JobId))
                        {
                            work.RenewedAt = askedAt;
                        }
                        else
                        {
                            Lose(work);
                        }
                    }
                }
                catch (Exception exception) when (exception is NpgsqlException or TimeoutException)
                {
                    Log.RenewalFailed(logger, exception.Message);
                    foreach (var work in works.Where(work => time.GetElapsedTime(work.RenewedAt) > Options.Lease && !work.IsPosting))
                    {
                        Lose(work);
                    }
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
        }
    }

    private async Task<HashSet<Guid>> RenewAsync(Work[] works, CancellationToken cancellationToken)
    {
        await using var command = dispatcher.CreateCommand("SELECT id FROM renew_jobs($1, $2, $3)");
        command.Parameters.Add(new NpgsqlParameter { Value = works.Select(static work => work.JobId).ToArray() });
        command.Parameters.Add(new NpgsqlParameter { Value = works.Select(static work => work.Owner).ToArray() });
        command.Parameters.Add(new NpgsqlParameter { Value = Options.Lease });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var renewed = new HashSet<Guid>();
        while (await reader.ReadAsync(cancellationToken))
        {
            renewed.Add(reader.GetGuid(0));
        }

        return renewed;
    }

    private void Lose(Work work)
    {
        // Work that ended meanwhile gave its lease back; only what is still at work lost it.
        if (_works.ContainsKey((work.JobId, work.Owner)))
        {
            try
            {
                work.Cancellation.Cancel();
                Log.LeaseLost(logger, work.JobId);
            }
            catch (ObjectDisposedException)
            {
                // It ended just now.
            }
        }
    }

    private sealed class Work(Guid jobId, Guid owner, CancellationTokenSource cancellation)
    {
        private volatile bool _isPosting;

        public Guid JobId => jobId;

        public Guid Owner => owner;

        public CancellationTokenSource Cancellation => cancellation;

        public Task? Running { get; set; }

        public long RenewedAt { get; set; }

        public bool IsPosting
        {
            get => _isPosting;
            set => _isPosting = value;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 4211, Level = LogLevel.Warning, Message = "Due jobs could not be claimed: {Reason}")]
        public static partial void ClaimFailed(ILogger logger, string reason);

        [LoggerMessage(EventId = 4212, Level = LogLevel.Error, Message = "Work on job {JobId} broke off")]
        public static partial void WorkFailed(ILogger logger, Guid jobId, Exception exception);

        [LoggerMessage(EventId = 4213, Level = LogLevel.Warning, Message = "Leases could not be renewed: {Reason}")]
        public static partial void RenewalFailed(ILogger logger, string reason);

        [LoggerMessage(EventId = 4214, Level = LogLevel.Warning, Message = "The lease on job {JobId} is lost; its work here ends")]
        public static partial void LeaseLost(ILogger logger, Guid jobId);
    }
}
