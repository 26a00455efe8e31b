using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Flurrty.Topology.Tests;

/// <summary>The whole path, and the one trace through it.</summary>
public sealed partial class PathTests
{
    private const string Webhook = "/webhooks/replicate/{token}";
    private const int MostTold = 20_000;

    [Fact]
    public async Task Identity_InStrictMode_BecomesReadyWithOneRun()
    {
        await using var topology = await RunningTopology.StartAsync(args: "--Sandbox:Strict=true");
        await TrainAsync(topology);
    }

    [Fact]
    public async Task Topologies_TwoSideBySide_EachTrainsItsOwn()
    {
        var starts = new[] { RunningTopology.StartAsync(), RunningTopology.StartAsync() };
        try
        {
            var both = await Task.WhenAll(starts);
            await Task.WhenAll(both.Select(TrainAsync));

            string[] servers = ["gateway", "s3", "broker", "sandbox"];
            Assert.All(servers, server => Assert.NotEqual((string?)both[0].File[server], (string?)both[1].File[server]));
            using var stranger = new HttpRequestMessage(HttpMethod.Get, "/api/identities");
            stranger.Headers.Authorization = both[0].Client.DefaultRequestHeaders.Authorization;
            using var answer = await both[1].Client.SendAsync(stranger);
            Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        }
        finally
        {
            foreach (var start in starts.Where(static start => start.IsCompletedSuccessfully))
            {
                await (await start).DisposeAsync();
            }
        }
    }

    [Fact]
    public async Task Trace_OfOneRequest_RunsThroughEveryPart()
    {
        // One log of each request to training, so that there is one to look into.
        await using var topology = await RunningTopology.StartAsync(
            withDashboard: true, args: "--Settings:training:Logging:LogLevel:Microsoft.AspNetCore.Routing.EndpointMiddleware=Information");
        var set = await topology.UploadAsync(topology.Client);
        var id = await topology.RequestIdentityAsync(topology.Client, set);
        var identity = await topology.WaitForEndAsync(topology.Client, id, Deadline.Journey);
        Assert.True((string?)identity["status"] == "ready", identity.ToJsonString());

        using var dashboard = topology.DashboardClient();
        var seen = await Deadline.WaitAsync(
            "the trace of POST /api/identities is complete",
            Deadline.Step,
            async () => new Seen(await TraceOfAsync(dashboard, "gateway", "POST /api/identities/{**rest}")),
            static seen => Missing(seen.Spans).Length == 0);
        Assert.Single(seen.Spans.Select(static span => span.TraceId).Distinct(StringComparer.Ordinal));

        // Whoever knows the token of a webhook may knock, so it is in nothing that is told of the run.
        var told = await Deadline.WaitAsync(
            "a webhook is told of by all that it passes",
            Deadline.Step,
            async () => new Told(await SpansAsync(dashboard, $"/api/telemetry/spans?limit={MostTold}"), await LogsAsync(dashboard)),
            static told => told.HasWebhook);
        Assert.InRange(told.Spans.Count, 1, MostTold - 1);
        Assert.InRange(told.Logs.Count, 1, MostTold - 1);
        Assert.Matches(WebhookToken(), $"https://flurrty.example{Webhook.Replace("{token}", new string('x', 43), StringComparison.Ordinal)}");
        Assert.DoesNotContain(told.Spans, static span => WebhookToken().IsMatch(span.Text));
        Assert.DoesNotContain(told.Logs, static log => WebhookToken().IsMatch(log.Text));
    }

    private static async Task TrainAsync(RunningTopology topology)
    {
        var set = await topology.UploadAsync(topology.Client);
        var id = await topology.RequestIdentityAsync(topology.Client, set);
        var identity = await topology.WaitForEndAsync(topology.Client, id, Deadline.Journey);

        Assert.True((string?)identity["status"] == "ready", identity.ToJsonString());
        Assert.Equal(100, (int)identity["progress"]!);
        var model = await topology.Client.GetByteArrayAsync(new Uri($"/api/identities/{id}/model", UriKind.Relative));
        Assert.Equal((string)identity["model"]!["sha256"]!, Convert.ToHexStringLower(SHA256.HashData(model)));
        Assert.Equal((long)identity["model"]!["bytes"]!, model.Length);
        Assert.Single(await topology.InvoiceAsync());
    }

    private static string[] Missing(IReadOnlyList<Span> spans)
    {
        (string What, Func<Span, bool> Is)[] expected =
        [
            ("gateway server", static span => span.Service == "gateway" && span.Kind == 2),
            ("gateway proxy", static span => span.Service == "gateway" && span.Name == "proxy.forwarder"),
            ("registry server", static span => span.Service == "registry" && span.Kind == 2),
            ("registry SQL", static span => span.Service == "registry" && span.Text.Contains("INSERT INTO", StringComparison.Ordinal)),
            ("registry send", static span => span.Service == "registry" && span.Name.EndsWith("send", StringComparison.Ordinal)),
            ("training consume", static span => span.Service == "training" && span.Name.EndsWith("process", StringComparison.Ordinal)),
            ("provider POST", static span => span.Service == "training" && span.Kind == 3 && span.Name == "POST" && span.Text.Contains("/trainings", StringComparison.Ordinal)),
            ("final registry consume", static span => span.Service == "registry" && span.Text.Contains("TrainingSucceededConsumer", StringComparison.Ordinal) && span.Name.EndsWith("process", StringComparison.Ordinal)),
            ("final registry update", static span => span.Service == "registry" && span.Text.Contains("UPDATE", StringComparison.Ordinal)),
        ];
        return [.. expected.Where(part => !spans.Any(part.Is)).Select(static part => part.What)];
    }

    private static async Task<IReadOnlyList<Span>> TraceOfAsync(HttpClient dashboard, string service, string name)
    {
        var root = (await SpansAsync(dashboard, "/api/telemetry/spans?limit=5000")).FirstOrDefault(span => span.Service == service && span.Name == name);
        return root is null ? [] : await SpansAsync(dashboard, $"/api/telemetry/traces/{root.TraceId}");
    }

    private static async Task<IReadOnlyList<Span>> SpansAsync(HttpClient dashboard, string path)
    {
        var answer = JsonNode.Parse(await dashboard.GetStringAsync(new Uri(path, UriKind.Relative)))!;
        return
        [
            .. Descend(answer, "resourceSpans").SelectMany(static resource =>
            {
                var service = Attributes(resource["resource"]).GetValueOrDefault("service.name", "");
                return Descend(resource, "scopeSpans").SelectMany(scope => Descend(scope, "spans")).Select(span => new Span(
                    (string?)span["traceId"] ?? "",
                    service,
                    (string?)span["name"] ?? "",
                    (int?)span["kind"] ?? 0,
                    span.ToJsonString()));
            }),
        ];
    }

    private static async Task<IReadOnlyList<Log>> LogsAsync(HttpClient dashboard)
    {
        var answer = JsonNode.Parse(await dashboard.GetStringAsync(new Uri($"/api/telemetry/logs?limit={MostTold}", UriKind.Relative)))!;
        return
        [
            .. Descend(answer, "resourceLogs").SelectMany(static resource =>
            {
                var service = Attributes(resource["resource"]).GetValueOrDefault("service.name", "");
                return Descend(resource, "scopeLogs").SelectMany(scope => Descend(scope, "logRecords")).Select(log => new Log((string?)log["traceId"] ?? "", service, log.ToJsonString()));
            }),
        ];
    }

    [GeneratedRegex("/webhooks/replicate/[A-Za-z0-9_-]{20,}", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex WebhookToken();

    // The dashboard wraps OTLP JSON in an answer of its own; only the OTLP part is relied on.
    private static IEnumerable<JsonNode> Descend(JsonNode? node, string name) => node switch
    {
        JsonObject found when found[name] is JsonArray array => array.OfType<JsonNode>(),
        JsonObject other => other.SelectMany(member => Descend(member.Value, name)),
        JsonArray array => array.SelectMany(item => Descend(item, name)),
        _ => [],
    };

    private static Dictionary<string, string> Attributes(JsonNode? node) =>
        (node?["attributes"] as JsonArray ?? []).OfType<JsonNode>().ToDictionary(static a => (string)a["key"]!, static a => (string?)a["value"]?["stringValue"] ?? "", StringComparer.Ordinal);

    private sealed record Seen(IReadOnlyList<Span> Spans)
    {
        public override string ToString() => $"{Spans.Count} spans; missing: {string.Join(", ", Missing(Spans))}";
    }

    private sealed record Told(IReadOnlyList<Span> Spans, IReadOnlyList<Log> Logs)
    {
        /// <summary>The gateway's span of forwarding it, the service's span of receiving it, and a log that the service wrote meanwhile.</summary>
        public bool HasWebhook => Spans
            .Where(static span => span.Service == "training" && span.Kind == 2 && span.Text.Contains(Webhook, StringComparison.Ordinal))
            .Any(received => Spans.Any(span => span.TraceId == received.TraceId && span.Service == "gateway" && span.Kind == 3)
                && Logs.Any(log => log.TraceId == received.TraceId && log.Service == "training"));

        public override string ToString()
        {
            var traces = Spans.Where(static span => span.Text.Contains(Webhook, StringComparison.Ordinal)).Select(static span => span.TraceId).ToHashSet(StringComparer.Ordinal);
            return $"{Spans.Count} spans, {Logs.Count} logs; of webhooks: {string.Join(", ", Spans.Where(span => traces.Contains(span.TraceId)).Select(static span => $"{span.Service} {span.Name}"))}; "
                + string.Join(", ", Logs.Where(log => traces.Contains(log.TraceId)).Select(static log => log.Text));
        }
    }

    private sealed record Log(string TraceId, string Service, string Text);

    private sealed record Span(string TraceId, string Service, string Name, int Kind, string Text);
}
