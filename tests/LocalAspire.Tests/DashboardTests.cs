using System.Net;
using System.Net.Http.Json;
using Aspire.Hosting;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Flurrty.LocalAspire.Tests;

/// <summary>The official dashboard as part of an application.</summary>
public sealed class DashboardTests
{
    private const string TraceId = "0123456789abcdef0123456789abcdef";

    [Fact]
    public async Task Traces_SentInATest_AreReadBackWithoutKeys()
    {
        await using var app = await StartAsync([]);
        using var client = new HttpClient();
        await SendTraceAsync(client, app, key: null);
        await Deadline.UntilAsync(
            () => client.GetStringAsync(new Uri(app.GetEndpoint("aspire-dashboard", "http"), "/api/telemetry/traces")),
            traces => traces.Contains(TraceId, StringComparison.Ordinal) && traces.Contains("the-span", StringComparison.Ordinal),
            "the trace");
    }

    [Fact]
    public async Task Dashboard_OutsideOfTests_AsksForItsTokenAndKeys()
    {
        var log = new ListLoggerProvider();
        await using var app = await StartAsync(["--ASPIRE_DASHBOARD_UNSECURED_ALLOW_ANONYMOUS=false"], builder => builder.Services.AddLogging(logging => logging.AddProvider(log)));
        var configuration = (IConfiguration)app.Services.GetService(typeof(IConfiguration))!;
        var ui = app.GetEndpoint("aspire-dashboard", "http");
        using var client = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false });

        // The page itself.
        using var page = await client.GetAsync(ui);
        Assert.Equal(HttpStatusCode.Redirect, page.StatusCode);
        Assert.Contains("login", page.Headers.Location!.ToString(), StringComparison.Ordinal);
        var login = $"http://127.0.0.1:{ui.Port}/login?t={configuration["AppHost:BrowserToken"]}";
        Assert.Contains(log.Lines, l => l.Contains($"Login to the dashboard at {login}", StringComparison.Ordinal));
        using var entered = await client.GetAsync(new Uri(login));
        Assert.Contains(entered.Headers, h => h.Key == "Set-Cookie");

        // What services send.
        Assert.Equal(HttpStatusCode.Unauthorized, await SendTraceAsync(client, app, key: null));
        Assert.Equal(HttpStatusCode.OK, await SendTraceAsync(client, app, configuration["AppHost:OtlpApiKey"]));

        // What reads it back.
        using var refused = await client.GetAsync(new Uri(ui, "/api/telemetry/traces"));
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        client.DefaultRequestHeaders.Add("x-api-key", configuration["AppHost:DashboardApiKey"]);
        await Deadline.UntilAsync(
            () => client.GetStringAsync(new Uri(ui, "/api/telemetry/traces")),
            traces => traces.Contains(TraceId, StringComparison.Ordinal),
            "the trace");
    }

    [Fact]
    public async Task Test_WithoutADashboard_GetsNoneAndNoTelemetryTarget()
    {
        using var builder = DistributedApplicationTestingBuilder.Create();
        builder.AddProject<Projects.Fixture_Web>("web").WithHttpEndpoint().WithHttpHealthCheck("/health");
        await using var app = await builder.BuildAsync();
        await app.StartAsync(Deadline.In(60));
        Assert.Throws<ArgumentException>(() => app.GetEndpoint("aspire-dashboard"));
        using var client = app.CreateHttpClient("web");
        Assert.Equal("(none)", await client.GetStringAsync("/env/OTEL_EXPORTER_OTLP_ENDPOINT"));
        Assert.Equal("web", await client.GetStringAsync("/env/OTEL_SERVICE_NAME"));
    }

    private static async Task<DistributedApplication> StartAsync(string[] args, Action<IDistributedApplicationTestingBuilder>? configure = null)
    {
        var builder = DistributedApplicationTestingBuilder.Create(args, (options, _) => options.DisableDashboard = false);
        configure?.Invoke(builder);
        var app = await builder.BuildAsync();
        await app.StartAsync(Deadline.In(60));
        await app.ResourceNotifications.WaitForResourceHealthyAsync("aspire-dashboard", Deadline.In(30));
        return app;
    }

    private static async Task<HttpStatusCode> SendTraceAsync(HttpClient client, DistributedApplication app, string? key)
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() * 1_000_000;
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(app.GetEndpoint("aspire-dashboard", "otlp-http"), "/v1/traces"));
        request.Content = JsonContent.Create(new
        {
            resourceSpans = new[]
            {
                new
                {
                    resource = new { attributes = new[] { new { key = "service.name", value = new { stringValue = "sender" } } } },
                    scopeSpans = new[]
                    {
                        new
                        {
                            scope = new { name = "tests" },
                            spans = new[] { new { traceId = TraceId, spanId = "0123456789abcdef", name = "the-span", kind = 1, startTimeUnixNano = $"{now}", endTimeUnixNano = $"{now + 1000}" } },
                        },
                    },
                },
            },
        });
        if (key is not null)
        {
            request.Headers.Add("x-otlp-api-key", key);
        }

        using var response = await client.SendAsync(request);
        return response.StatusCode;
    }
}
