using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;

namespace Flurrty.ServiceDefaults.Tests;

public sealed class ShutdownTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Stop_WithARequestOnTheWay_TurnsReadinessOffAndLetsItEnd()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["Shutdown:Notice"] = "00:00:03",
            ["Shutdown:Drain"] = "00:01:00",
        });
        builder.AddServiceDefaults();
        await using var app = builder.Build();
        app.MapDefaultEndpoints();
        var (began, mayEnd) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        app.MapGet("/slow", async () =>
        {
            began.SetResult();
            await mayEnd.Task;
            return "done";
        });
        await app.StartAsync();
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync(new Uri("/health", UriKind.Relative))).StatusCode);
        var slow = client.GetStringAsync(new Uri("/slow", UriKind.Relative));
        await began.Task.WaitAsync(Deadline);

        var stopping = app.StopAsync();
        using var health = await client.GetAsync(new Uri("/health", UriKind.Relative));
        using var alive = await client.GetAsync(new Uri("/alive", UriKind.Relative));

        Assert.Equal((HttpStatusCode.ServiceUnavailable, HttpStatusCode.OK), (health.StatusCode, alive.StatusCode));

        // Longer than a host waited before it cut everything off.
        Assert.NotSame(stopping, await Task.WhenAny(stopping, Task.Delay(TimeSpan.FromSeconds(7))));
        mayEnd.SetResult();
        Assert.Equal("done", await slow.WaitAsync(Deadline));
        await stopping.WaitAsync(Deadline);
    }
}
