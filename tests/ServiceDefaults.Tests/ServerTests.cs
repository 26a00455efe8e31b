using System.Net;
using System.Net.Sockets;
using Flurrty.ServiceDefaults.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace Flurrty.ServiceDefaults.Tests;

public sealed class ServerTests
{
    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("localhost")]
    public async Task Ports_OneOfThemForHttp2_EachSpeakTheirProtocol(string host)
    {
        var (http, h2c) = (FreePort(), FreePort());
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls($"http://{host}:{http}", $"http://{host}:{h2c}");
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { ["Server:Http2Port"] = $"{h2c}" });
        builder.AddServerDefaults();
        await using var app = builder.Build();
        app.MapGet("/", static context => context.Response.WriteAsync(context.Request.Protocol));
        await app.StartAsync();
        Assert.Equal("HTTP/1.1", await AskAsync(http, HttpVersion.Version11));
        Assert.Equal("HTTP/2", await AskAsync(h2c, HttpVersion.Version20));
        await Assert.ThrowsAsync<HttpRequestException>(() => AskAsync(http, HttpVersion.Version20));
    }

    [Fact]
    public async Task Http2_RequestThatStandsStill_DoesNotEndTheConnectionOfOthers()
    {
        var port = FreePort();
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { ["Server:Http2Port"] = $"{port}" });
        builder.AddServerDefaults();
        await using var app = builder.Build();
        var reading = new TaskCompletionSource();
        app.MapPost("/", async context =>
        {
            var first = await context.Request.Body.ReadAsync(new byte[1]);
            reading.SetResult();
            await context.Request.Body.CopyToAsync(Stream.Null);
            await context.Response.WriteAsync($"{first}");
        });
        await app.StartAsync();
        using var client = new HttpClient { DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var content = new StandingContent();
        var answer = client.PostAsync(new Uri($"http://127.0.0.1:{port}/"), content);
        await reading.Task.WaitAsync(Deadline.Step);

        // Kestrel's own limit would have ended it after five seconds.
        var start = TimeProvider.System.GetTimestamp();
        await Deadline.WaitAsync("eight seconds", () => Task.FromResult(answer.IsCompleted || TimeProvider.System.GetElapsedTime(start) > TimeSpan.FromSeconds(8)));
        content.GoOn.SetResult();
        using var response = await answer.WaitAsync(Deadline.Step);
        Assert.Equal("1", await response.Content.ReadAsStringAsync());
    }

    private sealed class StandingContent : HttpContent
    {
        public TaskCompletionSource GoOn { get; } = new();

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync(new byte[1]);
            await stream.FlushAsync();
            await GoOn.Task.WaitAsync(Deadline.Step);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }

    [Fact]
    public async Task Start_WrongSettings_FailsAndNamesEachOfThem()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { ["Server:Http2Port"] = "0", ["Server:DrainBytes"] = "-1", ["Server:DrainTime"] = "00:00:00" });
        builder.AddServerDefaults();
        await using var app = builder.Build();
        var failure = await Assert.ThrowsAsync<OptionsValidationException>(() => app.StartAsync());
        Assert.All(["Http2Port", "DrainBytes", "DrainTime"], name => Assert.Contains(name, failure.Message, StringComparison.Ordinal));
    }

    private static async Task<string> AskAsync(int port, Version version)
    {
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://127.0.0.1:{port}/") { Version = version, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var response = await client.SendAsync(request);
        return await response.Content.ReadAsStringAsync();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
