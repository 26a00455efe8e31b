using System.Diagnostics;

namespace Flurrty.UploadService.Tests.Fixtures;

/// <summary>Waits for a condition and, when it does not come, says what was seen last.</summary>
internal static class Eventually
{
    public static async Task TrueAsync(Func<Task<(bool Met, string Seen)>> look, TimeSpan? atMost = null)
    {
        var limit = atMost ?? TimeSpan.FromSeconds(30);
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            string seen;
            try
            {
                (var met, seen) = await look();
                if (met)
                {
                    return;
                }
            }
            catch (HttpRequestException problem)
            {
                seen = problem.Message;
            }

            Assert.True(Stopwatch.GetElapsedTime(start) < limit, $"Not so after {limit.TotalSeconds:0} s; last seen: {seen}");
            await Task.Delay(50);
        }
    }
}
