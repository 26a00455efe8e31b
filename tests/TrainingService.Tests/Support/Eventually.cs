namespace Flurrty.TrainingService.Tests.Support;

/// <summary>Waits for a condition; past the deadline it fails with the state that it saw.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(120);

    public static async Task IsTrueAsync(Func<bool> condition, Func<string> state)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < Timeout, $"It never came true: {state()}");
            await Task.Delay(20);
        }
    }
}
