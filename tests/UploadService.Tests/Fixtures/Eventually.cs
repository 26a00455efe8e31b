namespace Flurrty.UploadService.Tests.Fixtures;

/// <summary>Waits for a condition and, when it does not come, says what was seen last.</summary>
internal static class Eventually
{
    public static Task TrueAsync(Func<Task<(bool Met, string Seen)>> look, TimeSpan? atMost = null) => Deadline.WaitAsync(
        "the condition is met",
        atMost ?? Deadline.Step,
        async () =>
        {
            try
            {
                return await look();
            }
            catch (HttpRequestException problem)
            {
                return (Met: false, Seen: problem.Message);
            }
        },
        static state => state.Met);
}
