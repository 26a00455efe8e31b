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
    private readonly ConcurrentDictionary<int, int> _processIds = new();
    private readonly List<Lane> _lanes = [];
    private readonly List<Thread> _threads = [];
    private readonly CancellationTokenSource _stopping = new();
    private Confinement _confinement;
    private int _stopped;

    /// <summary>How the children are shut in.</summary>
    public Confinement Confinement => _confinement;

    /// <summary>Process ids of the running children, as this process sees them.</summary>
    public IReadOnlyList<int> ProcessIds => [.. _processIds.Values];

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var library = VipsLocation.Find(_options.LibraryPath, AppContext.BaseDirectory);
        var usual = new Lane(new ChildCommand(_options, library), Warm: true);
        _lanes.Add(usual);
        if (library is not null)
        {
            // Only the distribution's library decodes HEIC; its children are there while somebody sends such photos.
            _lanes.Add(new Lane(new ChildCommand(_options, library: null), Warm: false));
        }

        await Task.Run(() => Choose(usual.Command), cancellationToken);
        var children = _options.Children == 0 ? Environment.ProcessorCount : _options.Children;
        foreach (var lane in _lanes)
        {
            for (var child = 0; child < children; child++)
            {
                var slot = _threads.Count;
                var thread = new Thread(() => Work(lane, slot)) { IsBackground = true, Name = $"imaging {slot}" };
                _threads.Add(thread);
                thread.Start();
            }
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
        var format = PhotoSignature.Sniff(spool.Head);
        switch (format)
        {
            case PhotoFormat.None:
                return ImagingResult.Refused(PhotoRefusal.NotAnImage);
            case PhotoFormat.OtherPicture:
                return ImagingResult.Refused(PhotoRefusal.UnsupportedFormat);
            default:
                break;
        }

        var lane = format is PhotoFormat.Heic or PhotoFormat.Avif ? _lanes[^1] : _lanes[0];
        var job = new Job(spool, new TaskCompletionSource<ImagingResult>(TaskCreationOptions.RunContinuationsAsynchronously), cancellationToken);
        lane.Jobs.Add(job, cancellationToken);
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

        foreach (var lane in _lanes)
        {
            lane.Jobs.Dispose();
        }

        _stopping.Dispose();
    }

    private void Stop()
    {
        if (Interlocked.Exchange(ref _stopped, 1) == 0)
        {
            foreach (var lane in _lanes)
            {
                lane.Jobs.CompleteAdding();
            }

            _stopping.Cancel();
        }
    }

    private void Choose(ChildCommand command)
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
                using var child = ImagingChildProcess.Start(command.For(candidate), _options.StartTimeout, time);
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

    private void Work(Lane lane, int slot)
    {
        ImagingChildProcess? child = null;
        try
        {
            child = lane.Warm ? TryStart(lane, slot) : null;
            while (!lane.Jobs.IsCompleted)
            {
                var idle = lane.Warm || child is null ? Timeout.InfiniteTimeSpan : _options.IdleTime;
                if (!lane.Jobs.TryTake(out var job, (int)idle.TotalMilliseconds, _stopping.Token))
                {
                    _ = _processIds.TryRemove(slot, out _);
                    child?.Dispose();
                    child = null;
                    continue;
                }

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

                child ??= TryStart(lane, slot);
                if (child is null)
                {
                    job.Completion.SetException(new ImagingUnavailableException());
                    continue;
                }

                var usable = Handle(job, child);
                if (!usable || child.Photos >= _options.PhotosPerChild)
                {
                    child.Dispose();
                    child = TryStart(lane, slot);
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
            while (lane.Jobs.TryTake(out var left))
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

            // What a refused file has left behind in the decoder is not known. These never came to the decoder.
            var usable = result.Refusal is PhotoRefusal.None or PhotoRefusal.UnsupportedFormat or PhotoRefusal.TooManyPixels or PhotoRefusal.TooSmall or PhotoRefusal.Animated;
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

    private ImagingChildProcess? TryStart(Lane lane, int slot)
    {
        try
        {
            var child = ImagingChildProcess.Start(lane.Command.For(_confinement), _options.StartTimeout, time);
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

    /// <summary>Children with one library, and the photos that wait for them. Where it is not warm, they are started for a photo and end after idleness.</summary>
    private sealed record Lane(ChildCommand Command, bool Warm)
    {
        public BlockingCollection<Job> Jobs { get; } = new(new ConcurrentQueue<Job>());
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
