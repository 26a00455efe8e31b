using System.Collections.Concurrent;
using Flurrty.ImagingChild;
using Microsoft.Extensions.Options;

namespace Flurrty.UploadService.Imaging;

/// <summary>
/// Warm children that decode and re-encode photos. A child that dies, hangs or refuses costs its photo only: a fresh one takes the next.
/// </summary>
internal sealed partial class ImagingPool(IOptions<ImagingOptions> options, IHostEnvironment environment, TimeProvider time, ILogger<ImagingPool> logger)
    : IHostedService, IDisposable
{
    private readonly ImagingOptions _options = options.Value;
    private readonly BlockingCollection<Job> _jobs = new(new ConcurrentQueue<Job>());
    private readonly ConcurrentDictionary<int, int> _processIds = new();
    private readonly List<Thread> _threads = [];
    private readonly CancellationTokenSource _stopping = new();
    private ChildCommand? _command;
    private Confinement _confinement;
    private int _stopped;

    /// <summary>How the children are shut in.</summary>
    public Confinement Confinement => _confinement;

    /// <summary>Process ids of the running children, as this process sees them.</summary>
    public IReadOnlyList<int> ProcessIds => [.. _processIds.Values];

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _command = new ChildCommand(_options, VipsLocation.Find(_options.LibraryPath, AppContext.BaseDirectory));
        await Task.Run(Choose, cancellationToken);
        var children = _options.Children == 0 ? Environment.ProcessorCount : _options.Children;
        for (var slot = 0; slot < children; slot++)
        {
            var number = slot;
            var thread = new Thread(() => Work(number)) { IsBackground = true, Name = $"imaging {number}" };
            _threads.Add(thread);
            thread.Start();
        }
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        Stop();
        return Task.CompletedTask;
    }

    /// <summary>
    /// Normalises a photo. It can be cancelled while it waits for a child; the spool must live until the task ends.
    /// </summary>
    public async Task<ImagingResult> NormalizeAsync(PhotoSpool spool, CancellationToken cancellationToken)
    {
        // Most of what is not a photo is told here, without a child.
        switch (PhotoSignature.Sniff(spool.Head))
        {
            case PhotoFormat.None:
                return ImagingResult.Refused(PhotoRefusal.NotAnImage);
            case PhotoFormat.OtherPicture:
                return ImagingResult.Refused(PhotoRefusal.UnsupportedFormat);
            default:
                break;
        }

        var job = new Job(spool, new TaskCompletionSource<ImagingResult>(TaskCreationOptions.RunContinuationsAsynchronously), cancellationToken);
        _jobs.Add(job, cancellationToken);
        await using var registration = cancellationToken.Register(static state => ((Job)state!).CancelWhileWaiting(), job);
        return await job.Completion.Task;
    }

    public void Dispose()
    {
        Stop();
        foreach (var thread in _threads)
        {
            _ = thread.Join(TimeSpan.FromSeconds(2));
        }

        _jobs.Dispose();
        _stopping.Dispose();
    }

    private void Stop()
    {
        if (Interlocked.Exchange(ref _stopped, 1) == 0)
        {
            _jobs.CompleteAdding();
            _stopping.Cancel();
        }
    }

    private void Choose()
    {
        var failures = new List<string>();
        foreach (var candidate in ChildCommand.Candidates())
        {
            var allowed = candidate != Confinement.None || (_options.AllowUnconfined ?? environment.IsDevelopment());
            if (!allowed)
            {
                break;
            }

            try
            {
                using var child = ImagingChildProcess.Start(_command!.For(candidate), _options.StartTimeout, time);
                _confinement = candidate;
                if (candidate == Confinement.None)
                {
                    LogUnconfined(logger, string.Join(" | ", failures));
                }

                LogReady(logger, child.LibraryVersion, candidate);
                return;
            }
            catch (ImagingChildException problem)
            {
                failures.Add($"{candidate}: {problem.Message}");
            }
        }

        throw new InvalidOperationException(
            $"No imaging child can be started in a sandbox. {string.Join(" | ", failures)}. Install bubblewrap and allow namespaces; only Development may do without (Imaging:AllowUnconfined).");
    }

    private void Work(int slot)
    {
        ImagingChildProcess? child = null;
        try
        {
            child = TryStart(slot);
            foreach (var job in _jobs.GetConsumingEnumerable(_stopping.Token))
            {
                if (!job.TryTake())
                {
                    continue;
                }

                if (child is { HasExited: true })
                {
                    // It was not this photo that ended it.
                    LogGone(logger);
                    child.Dispose();
                    child = null;
                }

                child ??= TryStart(slot);
                if (child is null)
                {
                    job.Completion.SetException(new ImagingUnavailableException());
                    continue;
                }

                var usable = Handle(job, child);
                if (!usable || child.Photos >= _options.PhotosPerChild)
                {
                    child.Dispose();
                    child = TryStart(slot);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The service stops.
        }
        finally
        {
            _ = _processIds.TryRemove(slot, out _);
            child?.Dispose();
            while (_jobs.TryTake(out var left))
            {
                left.Completion.TrySetCanceled();
            }
        }
    }

    private bool Handle(Job job, ImagingChildProcess child)
    {
        try
        {
            var result = child.Normalize(job.Spool, _options);
            if (result.Refusal != PhotoRefusal.None)
            {
                LogRefused(logger, result.Refusal, child.LastReason);
            }

            // What a refused file has left behind in the child is not known.
            var usable = result.Refusal == PhotoRefusal.None;
            job.Completion.SetResult(result);
            return usable;
        }
        catch (ImagingChildException problem)
        {
            LogLost(logger, problem.Message);
            job.Completion.SetResult(ImagingResult.Refused(PhotoRefusal.Unreadable));
            return false;
        }
    }

    private ImagingChildProcess? TryStart(int slot)
    {
        try
        {
            var child = ImagingChildProcess.Start(_command!.For(_confinement), _options.StartTimeout, time);
            _processIds[slot] = child.ProcessId;
            return child;
        }
        catch (ImagingChildException problem)
        {
            _ = _processIds.TryRemove(slot, out _);
            LogNotStarted(logger, problem.Message);
            return null;
        }
    }

    private sealed class Job(PhotoSpool spool, TaskCompletionSource<ImagingResult> completion, CancellationToken cancellationToken)
    {
        private int _taken;

        public PhotoSpool Spool { get; } = spool;

        public TaskCompletionSource<ImagingResult> Completion { get; } = completion;

        public bool TryTake() => Interlocked.Exchange(ref _taken, 1) == 0;

        public void CancelWhileWaiting()
        {
            if (TryTake())
            {
                Completion.TrySetCanceled(cancellationToken);
            }
        }
    }
}

/// <summary>No child can be started now; the photo may be sent again later.</summary>
internal sealed class ImagingUnavailableException() : Exception("No imaging child can be started.");
