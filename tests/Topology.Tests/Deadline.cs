namespace Flurrty.Topology.Tests;

/// <summary>Waits for a condition; past the deadline it fails with the state that it last saw.</summary>
internal static class Deadline
{
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

            Assert.True(clock.GetElapsedTime(start) < limit, $"Not within {limit}: {what}. Last seen: {state}");
            await Task.Delay(TimeSpan.FromMilliseconds(100));
        }
    }

    public static Task WaitAsync(string what, TimeSpan limit, Func<Task<bool>> look) => WaitAsync(what, limit, look, static reached => reached);
}
