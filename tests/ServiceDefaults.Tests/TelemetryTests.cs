using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Logs;
using OpenTelemetry.Trace;

namespace Flurrty.ServiceDefaults.Tests;

public sealed class TelemetryTests
{
    private const string Secret = "planted-secret";

    [Fact]
    public async Task Request_SpanIsNamedByRoute_AndHasNoPathOrQuery()
    {
        await using var service = await Service.StartAsync(static app => app.MapPost("/webhooks/{provider}/{token}", static (string token) => token));
        Assert.Equal(HttpStatusCode.OK, await service.SendAsync(HttpMethod.Post, $"/webhooks/replicate/{Secret}?key={Secret}"));
        var span = Assert.Single(await service.StopAsync(), IsServer);
        Assert.Equal("POST /webhooks/{provider}/{token}", span.DisplayName);
        Assert.Equal("/webhooks/{provider}/{token}", span.GetTagItem("http.route"));
        Assert.Equal("POST", span.GetTagItem("http.request.method"));
        Assert.Equal(200, span.GetTagItem("http.response.status_code"));
        Assert.DoesNotContain(Secret, Text(span), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Request_WithoutRoute_IsNamedByMethodAlone()
    {
        await using var service = await Service.StartAsync(static _ => { });
        Assert.Equal(HttpStatusCode.NotFound, await service.SendAsync(HttpMethod.Get, $"/{Secret}"));
        var span = Assert.Single(await service.StopAsync(), IsServer);
        Assert.Equal("GET", span.DisplayName);
        Assert.DoesNotContain(Secret, Text(span), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Request_ThatFails_HasItsRouteAndIsAnError()
    {
        await using var service = await Service.StartAsync(static app => app.MapGet("/broken/{id}", static string (string id) => throw new InvalidOperationException(Secret + id)));
        Assert.Equal(HttpStatusCode.InternalServerError, await service.SendAsync(HttpMethod.Get, "/broken/1"));
        var span = Assert.Single(await service.StopAsync(), IsServer);
        Assert.Equal("GET /broken/{id}", span.DisplayName);
        Assert.Equal(ActivityStatusCode.Error, span.Status);
        Assert.Equal(500, span.GetTagItem("http.response.status_code"));
        Assert.DoesNotContain(Secret, Text(span), StringComparison.Ordinal);
    }

    [Fact]
    public async Task HealthCheck_IsNotTraced_NorIsWhatItDoes()
    {
        using var source = new ActivitySource("Flurrty.Tests");
        var probes = 0;
        void Probe()
        {
            using var probe = source.StartActivity("probe");
            probes++;
        }

        await using var service = await Service.StartAsync(
            app => app.MapGet("/work", Probe),
            services => services.AddHealthChecks().AddCheck("probe", () =>
            {
                Probe();
                return HealthCheckResult.Healthy();
            }));
        Assert.Equal(HttpStatusCode.OK, await service.SendAsync(HttpMethod.Get, "/health"));
        Assert.Equal(HttpStatusCode.OK, await service.SendAsync(HttpMethod.Get, "/alive"));
        Assert.Equal(HttpStatusCode.OK, await service.SendAsync(HttpMethod.Get, "/work"));
        Assert.Equal(2, probes);
        var spans = await service.StopAsync();
        Assert.Equal("GET /work", Assert.Single(spans, IsServer).DisplayName);
        Assert.Single(spans, span => span.Source.Name == source.Name);
    }

    [Fact]
    public async Task Call_WithAPresignedUrl_LeavesItsSignatureNowhere()
    {
        await using var service = await Service.StartAsync(static app => app.MapGet("/file", static () => "bytes"));
        var factory = service.Services.GetRequiredService<IHttpClientFactory>();
        using (var client = factory.CreateClient())
        {
            Assert.Equal("bytes", await client.GetStringAsync(new Uri(service.Address, $"/file?X-Amz-Signature={Secret}")));
        }

        var spans = await service.StopAsync();
        var call = Assert.Single(spans, static span => span.Source.Name == "System.Net.Http");
        Assert.Contains("/file", call.GetTagItem("url.full")?.ToString(), StringComparison.Ordinal);
        Assert.Equal(200, call.GetTagItem("http.response.status_code"));

        // The call and its answer are parts of one trace.
        Assert.Equal(call.SpanId, Assert.Single(spans, IsServer).ParentSpanId);
        Assert.All(spans, static span => Assert.DoesNotContain(Secret, Text(span), StringComparison.Ordinal));
        Assert.All(service.Logs, static log => Assert.DoesNotContain(Secret, log, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Log_OfAService_IsExported()
    {
        await using var service = await Service.StartAsync(static app => app.MapGet("/", static (ILogger<TelemetryTests> logger) => logger.LogInformation("Said {What}", Secret)));
        Assert.Equal(HttpStatusCode.OK, await service.SendAsync(HttpMethod.Get, "/"));
        _ = await service.StopAsync();
        Assert.Contains(service.Logs, static log => log.Contains($"Said {Secret}", StringComparison.Ordinal));
    }

    private static bool IsServer(Activity span) => span.Source.Name == "Microsoft.AspNetCore";

    private static string Text(Activity span) =>
        $"{span.DisplayName} {span.StatusDescription} {string.Join(' ', span.TagObjects)} {string.Join(' ', span.Events.SelectMany(static item => item.Tags.Prepend(new("name", item.Name))))}";

    /// <summary>A service with the defaults and nothing else, on a real socket.</summary>
    private sealed class Service : IAsyncDisposable
    {
        private readonly WebApplication _app;
        private readonly ActivityTraceId _trace = ActivityTraceId.CreateRandom();
        private readonly List<Activity> _spans = [];
        private readonly List<string> _logs = [];

        private Service(Action<WebApplication> map, Action<IServiceCollection>? configure)
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            builder.Logging.SetMinimumLevel(LogLevel.Trace);
            builder.AddServiceDefaults();
            configure?.Invoke(builder.Services);
            builder.Services.ConfigureOpenTelemetryTracerProvider(tracing => tracing.AddInMemoryExporter(_spans));
            builder.Services.ConfigureOpenTelemetryLoggerProvider(logging => logging.AddProcessor(new Recorder(_logs)));
            _app = builder.Build();
            _app.MapDefaultEndpoints();
            map(_app);
        }

        public Uri Address => new(_app.Urls.Single());

        public IServiceProvider Services => _app.Services;

        /// <summary>What was logged; complete when the service has stopped.</summary>
        public IReadOnlyList<string> Logs => _logs;

        public static async Task<Service> StartAsync(Action<WebApplication> map, Action<IServiceCollection>? configure = null)
        {
            var service = new Service(map, configure);
            await service._app.StartAsync();
            return service;
        }

        public async Task<HttpStatusCode> SendAsync(HttpMethod method, string path)
        {
            // Without a propagator the client makes no span of its own.
            using var client = new HttpClient(new SocketsHttpHandler { ActivityHeadersPropagator = null });
            using var request = new HttpRequestMessage(method, new Uri(Address, path));
            request.Headers.Add("traceparent", $"00-{_trace}-{ActivitySpanId.CreateRandom()}-01");
            using var response = await client.SendAsync(request);
            return response.StatusCode;
        }

        /// <summary>Stops the service and gives the spans of its requests and calls: others of this process are seen too.</summary>
        public async Task<IReadOnlyList<Activity>> StopAsync()
        {
            var port = Address.Port;
            await _app.StopAsync();
            await _app.DisposeAsync();
            var own = _spans.Where(span => span.TraceId == _trace || span.GetTagItem("server.port") is int to && to == port).Select(static span => span.TraceId).ToHashSet();
            return [.. _spans.Where(span => own.Contains(span.TraceId))];
        }

        public ValueTask DisposeAsync() => _app.DisposeAsync();
    }

    private sealed class Recorder(List<string> logs) : OpenTelemetry.BaseProcessor<LogRecord>
    {
        public override void OnEnd(LogRecord data)
        {
            lock (logs)
            {
                logs.Add($"{data.FormattedMessage} {data.Body} {string.Join(' ', data.Attributes ?? [])} {data.Exception}");
            }
        }
    }
}
