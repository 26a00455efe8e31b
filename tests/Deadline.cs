using System.Diagnostics;
using System.Globalization;

namespace Flurrty.Tests;

/// <summary>
/// The bounds of whatever a test waits for, in one place. None is an expected duration: each holds on a machine that is 2.5 times slower than
/// ours, pinned to one core, with the other lane of the suite beside it. A test that passes waits for its condition and never for these.
/// </summary>
internal static class Deadline
{
    /// <summary>One step of a running system: a request, a message, a row, the end of a process.</summary>
    public static readonly TimeSpan Step = TimeSpan.FromMinutes(3);

    /// <summary>A start of servers or services, or a whole journey through them.</summary>
    public static readonly TimeSpan Journey = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    /// <summary>Looks until the condition holds; past the limit it fails with the state that it saw last.</summary>
    public static async Task<T> WaitAsync<T>(string what, TimeSpan limit, Func<Task<T>> look, Func<T, bool> isReached)
    {
        var clock = TimeProvider.System;
        var start = clock.GetTimestamp();
        while (true)
        {
            var state = await look();
            if (isReached(state))
            {
                return state;
            }

            if (clock.GetElapsedTime(start) > limit)
            {
                throw new TimeoutException($"Not within {limit}: {what}. Last seen: {state}");
            }

            await Task.Delay(Pause);
        }
    }

    /// <summary>Looks until the condition holds, within <see cref="Step"/>.</summary>
    public static Task<T> WaitAsync<T>(string what, Func<Task<T>> look, Func<T, bool> isReached) => WaitAsync(what, Step, look, isReached);

    /// <summary>Looks until it is so.</summary>
    public static Task WaitAsync(string what, TimeSpan limit, Func<Task<bool>> look) => WaitAsync(what, limit, look, static reached => reached);

    /// <summary>Looks until it is so, within <see cref="Step"/>.</summary>
    public static Task WaitAsync(string what, Func<Task<bool>> look) => WaitAsync(what, Step, look);

    /// <summary>
    /// Looks until the condition holds, and fails if that takes longer than the product promises. A promise is made for a machine that has
    /// nothing else to do, so a control tells in the same run how much of a core anybody gets who wants one, and only that share of the time counts.
    /// </summary>
    public static async Task<T> PromiseAsync<T>(string what, TimeSpan promised, Func<Task<T>> look, Func<T, bool> isReached)
    {
        using var control = new CoreControl();
        var start = TimeProvider.System.GetTimestamp();
        return await WaitAsync(
            what,
            Journey,
            look,
            state =>
            {
                var reached = isReached(state);
                if (!reached && control.FreeTime > promised)
                {
                    throw new TimeoutException(string.Create(
                        CultureInfo.InvariantCulture,
                        $"Promised within {promised}: {what}. After {TimeProvider.System.GetElapsedTime(start)}, of which the machine was free for {control.FreeTime}, last seen: {state}"));
                }

                return reached;
            });
    }

    /// <summary>Wants a core now and then, and notes how long it has to wait for it.</summary>
    private sealed class CoreControl : IDisposable
    {
        // Long enough that a scheduler, which lets those in first who have slept, deals with it as with everybody.
        private static readonly TimeSpan Burst = TimeSpan.FromMilliseconds(40);
        private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(160);

        private readonly ManualResetEventSlim _ended = new();
        private readonly Thread _thread;
        private long _freeTicks;

        public CoreControl()
        {
            _thread = new Thread(Run) { IsBackground = true, Name = "core control" };
            _thread.Start();
        }

        public TimeSpan FreeTime => TimeSpan.FromTicks(Interlocked.Read(ref _freeTicks));

        public void Dispose()
        {
            _ended.Set();
            _thread.Join();
            _ended.Dispose();
        }

        private void Run()
        {
            var counted = Stopwatch.GetTimestamp();
            do
            {
                var began = Stopwatch.GetTimestamp();
                var used = CoreTime();
                while (CoreTime() - used < Burst && Stopwatch.GetElapsedTime(began) < 100 * Burst)
                {
                    Thread.SpinWait(20_000);
                }

                var share = Math.Min(1, (CoreTime() - used) / Stopwatch.GetElapsedTime(began));
                _ = Interlocked.Add(ref _freeTicks, (long)(Stopwatch.GetElapsedTime(counted).Ticks * share));
                counted = Stopwatch.GetTimestamp();
            }
            while (!_ended.Wait(Rest));
        }

        // What this thread has run, in nanoseconds: the first number.
        private static TimeSpan CoreTime() =>
            TimeSpan.FromMicroseconds(long.Parse(File.ReadAllText("/proc/thread-self/schedstat").Split(' ')[0], CultureInfo.InvariantCulture) / 1000.0);
    }
}
