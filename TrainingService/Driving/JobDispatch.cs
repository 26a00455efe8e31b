using System.Collections.Concurrent;
using System.Diagnostics;
using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Hosting;
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
    // Beside requests that are on the way, time to give the jobs back.
    private static readonly TimeSpan ReleaseTime = TimeSpan.FromSeconds(4);

    // Hosted services are made before options are validated. What needs valid ones waits, so that a start tells all errors at once.
    private readonly Lazy<JobRunner> _runner = new(services.GetRequiredService<JobRunner>);
    private readonly Lazy<DrivingOptions> _lazyOptions = new(() => options.Value);
    private readonly ConcurrentDictionary<(Guid Id, Guid Owner), Work> _works = new();

    /// <summary>How long this may take to end: a request for a run is waited for up to its own timeout, as its outcome would be unknown otherwise.</summary>
    public static TimeSpan DrainTime(DrivingOptions options) => options.PostTimeout + ReleaseTime;

    private DrivingOptions Options => _lazyOptions.Value;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var stopWork = new CancellationTokenSource();
        var listening = listener.RunAsync(stopWork.Token);
        var renewing = BackgroundLoop.RunAsync("renewal of leases", RenewAsync, time, logger, stopWork.Token);
        await BackgroundLoop.RunAsync("claiming of due jobs", token => TurnAsync(token, stopWork.Token), time, logger, stoppingToken);

        // A request for a run that is on its way is worth waiting for: its outcome would be unknown.
        foreach (var work in _works.Values.Where(static work => !work.IsPosting))
        {
            await work.Cancellation.CancelAsync();
        }

        await Task.WhenAll(_works.Values.Select(static work => work.Running ?? Task.CompletedTask))
            .WaitAsync(DrainTime(Options), time, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await stopWork.CancelAsync();
        await Task.WhenAll(listening, renewing);
    }

    private async Task TurnAsync(CancellationToken stoppingToken, CancellationToken stopWork)
    {
        if (listener.IsAlive)
        {
            await ClaimAsync(stoppingToken, stopWork);
        }

        await listener.WaitAsync(Options.Poll, stoppingToken);
    }

    private async Task ClaimAsync(CancellationToken stoppingToken, CancellationToken stopWork)
    {
        while (Options.Parallelism - _works.Count is > 0 and var room)
        {
            var owner = Guid.CreateVersion7();
            var claimed = await dispatcher.ClaimAsync(
                "SELECT id, account_id FROM claim_jobs($1, $2, $3, $4)", [room, Options.Lease, listener.Instance, owner], stoppingToken);
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
        await Task.Delay(Options.Lease / 3, time, cancellationToken);
        var works = _works.Values.ToArray();
        if (works.Length == 0)
        {
            return;
        }

        var askedAt = time.GetTimestamp();
        try
        {
            var renewed = await RenewAsync(works, cancellationToken);
            foreach (var work in works)
            {
                if (renewed.Contains((work.JobId, work.Owner)))
                {
                    work.RenewedAt = askedAt;
                }
                else
                {
                    Lose(work);
                }
            }
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            foreach (var work in works.Where(work => time.GetElapsedTime(work.RenewedAt) > Options.Lease && !work.IsPosting))
            {
                Lose(work);
            }

            throw;
        }
    }

    private async Task<HashSet<(Guid Id, Guid Owner)>> RenewAsync(Work[] works, CancellationToken cancellationToken)
    {
        await using var command = dispatcher.CreateCommand("SELECT id, owner FROM renew_jobs($1, $2, $3)");
        command.Parameters.Add(new NpgsqlParameter { Value = works.Select(static work => work.JobId).ToArray() });
        command.Parameters.Add(new NpgsqlParameter { Value = works.Select(static work => work.Owner).ToArray() });
        command.Parameters.Add(new NpgsqlParameter { Value = Options.Lease });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var renewed = new HashSet<(Guid Id, Guid Owner)>();
        while (await reader.ReadAsync(cancellationToken))
        {
            renewed.Add((reader.GetGuid(0), reader.GetGuid(1)));
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
        [LoggerMessage(EventId = 4212, Level = LogLevel.Error, Message = "Work on job {JobId} broke off")]
        public static partial void WorkFailed(ILogger logger, Guid jobId, Exception exception);

        [LoggerMessage(EventId = 4214, Level = LogLevel.Warning, Message = "The lease on job {JobId} is lost; its work here ends")]
        public static partial void LeaseLost(ILogger logger, Guid jobId);
    }
}
