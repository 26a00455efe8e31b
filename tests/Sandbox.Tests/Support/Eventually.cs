namespace Flurrty.Sandbox.Tests.Support;

internal static class Eventually
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>Looks until the condition holds; after half a minute it fails with what it saw last.</summary>
    public static async Task<T> HoldsAsync<T>(Func<Task<T>> look, Predicate<T> condition, string what)
    {
        long started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            T seen = await look();
            if (condition(seen))
            {
                return seen;
            }

            if (TimeProvider.System.GetElapsedTime(started) > Limit)
            {
                throw new TimeoutException($"Not within {Limit.TotalSeconds} s: {what}. Last seen: {seen}");
            }

            await Task.Delay(20);
        }
    }
}
