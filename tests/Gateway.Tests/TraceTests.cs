using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.TestHost;
using OpenTelemetry;
using OpenTelemetry.Trace;

namespace Flurrty.Gateway.Tests;

public sealed class TraceTests(GatewayFixture gateway) : IClassFixture<GatewayFixture>
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Webhook_TokenInItsPath_IsInNoSpan()
    {
        const string Token = "planted-token";
        var spans = new ConcurrentQueue<Activity>();
        using var client = gateway.StartGateway(builder => builder.ConfigureTestServices(services =>
            services.ConfigureOpenTelemetryTracerProvider(tracing => tracing.AddProcessor(new Recorder(spans)))));
        using var response = await client.PostAsync(new Uri($"/webhooks/replicate/{Token}?key={Token}", UriKind.Relative), new StringContent("{}"));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Contains(Token, Assert.Single(gateway.Training.Requests).Path, StringComparison.Ordinal);

        var trace = ActivityContext.Parse(gateway.Training.Requests.Single().Headers["traceparent"], traceState: null).TraceId;
        var seen = await EndedAsync(spans, trace, "POST /webhooks/{provider}/{token}");

        // The service behind it is in this process too.
        Assert.Equal(
            ["Microsoft.AspNetCore", "System.Net.Http", "Yarp.ReverseProxy"],
            seen.Select(static span => span.Source.Name).Distinct().Order(StringComparer.Ordinal));
        var forwarded = Assert.Single(seen, static span => span.Source.Name == "System.Net.Http");
        Assert.Equal(gateway.Training.Http2Address, forwarded.GetTagItem("url.full"));
        Assert.All(seen, static span => Assert.DoesNotContain(Token, $"{span.DisplayName} {span.StatusDescription} {string.Join(' ', span.TagObjects)}", StringComparison.Ordinal));
    }

    // The span of a request ends after its answer.
    private static async Task<IReadOnlyList<Activity>> EndedAsync(ConcurrentQueue<Activity> spans, ActivityTraceId trace, string request)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            Activity[] seen = [.. spans.Where(span => span.TraceId == trace)];
            if (Array.Exists(seen, span => span.DisplayName == request))
            {
                return seen;
            }

            Assert.True(TimeProvider.System.GetElapsedTime(start) < Deadline, $"Ended: {string.Join(", ", seen.Select(static span => span.DisplayName))}");
            await Task.Delay(TimeSpan.FromMilliseconds(20));
        }
    }

    private sealed class Recorder(ConcurrentQueue<Activity> spans) : BaseProcessor<Activity>
    {
        public override void OnEnd(Activity data) => spans.Enqueue(data);
    }
}
