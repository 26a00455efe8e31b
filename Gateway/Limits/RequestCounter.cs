using System.Collections.Concurrent;

namespace Flurrty.Gateway.Limits;

/// <summary>How a caller stands in the present window.</summary>
internal readonly record struct Standing(bool Allowed, int Limit, int Remaining, TimeSpan Reset);

/// <summary>Counts requests in fixed windows, each caller for itself. Callers of past windows are forgotten, so that memory stays bounded.</summary>
internal sealed class RequestCounter(TimeProvider time, TimeSpan window, int limit)
{
    private readonly long _start = time.GetTimestamp();
    private readonly Lock _turn = new();
    private Counts _counts = new(-1);

    public TimeSpan Window => window;

    public Standing Count(string caller)
    {
        var elapsed = time.GetElapsedTime(_start);
        var number = elapsed.Ticks / window.Ticks;
        var used = CountsOf(number).ByCaller.AddOrUpdate(caller, 1, static (_, count) => count == int.MaxValue ? count : count + 1);
        return new Standing(used <= limit, limit, Math.Max(0, limit - used), window - TimeSpan.FromTicks(elapsed.Ticks % window.Ticks));
    }

    private Counts CountsOf(long number)
    {
        var counts = Volatile.Read(ref _counts);
        if (counts.Window >= number)
        {
            return counts;
        }

        lock (_turn)
        {
            if (_counts.Window < number)
            {
                _counts = new Counts(number);
            }

            return _counts;
        }
    }

    private sealed record Counts(long Window)
    {
        public ConcurrentDictionary<string, int> ByCaller { get; } = new(StringComparer.Ordinal);
    }
}
