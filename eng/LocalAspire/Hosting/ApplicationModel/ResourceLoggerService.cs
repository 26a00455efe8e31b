using System.Globalization;
using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A line of a resource's log.</summary>
/// <param name="LineNumber">Its number, from 1.</param>
/// <param name="Content">The text; a UTC time stands first.</param>
/// <param name="IsErrorMessage">Whether it came from standard error.</param>
public readonly record struct LogLine(int LineNumber, string Content, bool IsErrorMessage);

/// <summary>Keeps the last lines of every resource's log and hands on new ones.</summary>
public sealed class ResourceLoggerService
{
    private readonly TimeProvider _time;
    private const int MostKept = 10_000;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Backlog> _backlogs = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Creates the service.</summary>
    public ResourceLoggerService()
        : this(TimeProvider.System)
    {
    }

    internal ResourceLoggerService(TimeProvider time) => _time = time;

    /// <summary>Writes to the log of a resource and its replicas.</summary>
    public ILogger GetLogger(IResource resource)
    {
        ArgumentNullException.ThrowIfNull(resource);
        return new ResourceLogger(this, resource.InstanceIds);
    }

    /// <summary>Writes to the log of one replica.</summary>
    public ILogger GetLogger(string resourceName) => new ResourceLogger(this, () => [resourceName]);

    /// <summary>The kept lines, and then each new one.</summary>
    public IAsyncEnumerable<IReadOnlyList<LogLine>> WatchAsync(IResource resource)
    {
        ArgumentNullException.ThrowIfNull(resource);
        return WatchAsync(resource.InstanceIds()[0]);
    }

    /// <summary>The kept lines, and then each new one.</summary>
    public IAsyncEnumerable<IReadOnlyList<LogLine>> WatchAsync(string resourceName) => WatchCoreAsync(resourceName);

    /// <summary>The kept lines.</summary>
    public IAsyncEnumerable<IReadOnlyList<LogLine>> GetAllAsync(IResource resource)
    {
        ArgumentNullException.ThrowIfNull(resource);
        return GetAllAsync(resource.InstanceIds()[0]);
    }

    /// <summary>The kept lines.</summary>
    public async IAsyncEnumerable<IReadOnlyList<LogLine>> GetAllAsync(string resourceName)
    {
        await Task.CompletedTask;
        yield return Kept(resourceName);
    }

    internal IReadOnlyList<LogLine> Kept(string id)
    {
        lock (_gate)
        {
            return [.. BacklogOf(id).Lines];
        }
    }

    internal void Append(string id, string timestampedText, bool isError)
    {
        lock (_gate)
        {
            var backlog = BacklogOf(id);
            var line = new LogLine(++backlog.LastNumber, timestampedText, isError);
            if (backlog.Lines.Count == MostKept)
            {
                backlog.Lines.Dequeue();
            }

            backlog.Lines.Enqueue(line);
            foreach (var watcher in backlog.Watchers)
            {
                watcher.Writer.TryWrite(line);
            }
        }
    }

    internal void AppendNow(string id, string text, bool isError)
    {
        var now = _time.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
        foreach (var line in text.ReplaceLineEndings("\n").Split('\n'))
        {
            Append(id, $"{now} {line}", isError);
        }
    }

    private async IAsyncEnumerable<IReadOnlyList<LogLine>> WatchCoreAsync(string id, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        // A watcher that is too slow loses old lines; the numbers show the gap.
        var channel = Channel.CreateBounded<LogLine>(new BoundedChannelOptions(2 * MostKept) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
        lock (_gate)
        {
            var backlog = BacklogOf(id);
            foreach (var line in backlog.Lines)
            {
                channel.Writer.TryWrite(line);
            }

            backlog.Watchers.Add(channel);
        }

        try
        {
            while (await channel.Reader.WaitToReadAsync(cancellationToken))
            {
                List<LogLine> batch = [];
                while (batch.Count < 1000 && channel.Reader.TryRead(out var line))
                {
                    batch.Add(line);
                }

                yield return batch;
            }
        }
        finally
        {
            lock (_gate)
            {
                BacklogOf(id).Watchers.Remove(channel);
            }
        }
    }

    private Backlog BacklogOf(string id)
    {
        if (!_backlogs.TryGetValue(id, out var backlog))
        {
            _backlogs[id] = backlog = new Backlog();
        }

        return backlog;
    }

    private sealed class Backlog
    {
        internal Queue<LogLine> Lines { get; } = new();

        internal List<Channel<LogLine>> Watchers { get; } = [];

        internal int LastNumber { get; set; }
    }

    private sealed class ResourceLogger(ResourceLoggerService owner, Func<IReadOnlyList<string>> ids) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var text = formatter(state, exception);
            if (exception is not null)
            {
                text = $"{text}\n{exception}";
            }

            foreach (var id in ids())
            {
                owner.AppendNow(id, text, logLevel >= LogLevel.Error);
            }
        }
    }
}
