namespace Flurrty.LocalAspire.Tests;

/// <summary>How long a test waits for a condition before it fails with what it saw.</summary>
internal static class Deadline
{
    internal static CancellationToken In(int seconds) => new CancellationTokenSource(TimeSpan.FromSeconds(seconds)).Token;

    internal static async Task<T> UntilAsync<T>(Func<Task<T>> look, Func<T, bool> isIt, string what, int seconds = 30)
    {
        var deadline = In(seconds);
        T seen;
        do
        {
            seen = await look();
            if (isIt(seen))
            {
                return seen;
            }

            await Task.Delay(100, CancellationToken.None);
        }
        while (!deadline.IsCancellationRequested);

        Assert.Fail($"Waited {seconds} s for {what}; last seen: {seen}");
        return seen;
    }
}
