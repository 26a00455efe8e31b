using System.Net;
using System.Net.Sockets;
using Flurrty.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Flurrty.Gateway.Tests;

public sealed class ForwardingTests(GatewayFixture gateway) : IClassFixture<GatewayFixture>
{
    [Fact]
    public async Task Request_ServiceRefusesConnections_IsServiceUnavailable()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var closed = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        using var client = gateway.StartGateway(("services:registry:h2c:0", $"http://127.0.0.1:{closed}"));
        using var response = await client.GetAsync(new Uri("/api/identities", UriKind.Relative));
        await AssertAwayAsync(response, HttpStatusCode.ServiceUnavailable, "service_unavailable");
    }

    [Fact]
    public async Task Request_ServiceHasNoAddress_IsServiceUnavailable()
    {
        using var client = gateway.StartGateway(("services:registry:http:0", null), ("services:registry:h2c:0", null));
        using var response = await client.GetAsync(new Uri("/api/identities", UriKind.Relative));
        await AssertAwayAsync(response, HttpStatusCode.ServiceUnavailable, "service_unavailable");
    }

    [Fact]
    public async Task Request_ServiceDropsTheConnection_IsServiceUnavailable()
    {
        gateway.Registry.Handler = context =>
        {
            context.Abort();
            return Task.CompletedTask;
        };
        using var response = await gateway.Client.PostAsync(new Uri("/api/identities", UriKind.Relative), new StringContent("{}"));
        await AssertAwayAsync(response, HttpStatusCode.BadGateway, "service_unavailable");
        Assert.Single(gateway.Registry.Requests, seen => string.Equals(seen.Method, "POST", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Request_ServiceNeverAnswers_IsServiceTimeout()
    {
        // The service must have been reached before the gateway gives up, on whatever machine.
        var gone = new TaskCompletionSource();
        gateway.Training.Handler = async context =>
        {
            try
            {
                await Task.Delay(Timeout.Infinite, context.RequestAborted);
            }
            catch (OperationCanceledException)
            {
                gone.SetResult();
            }
        };
        using var client = gateway.StartGateway(("Routing:Inactivity", "00:00:04"));
        using var response = await client.GetAsync(new Uri("/api/providers", UriKind.Relative));
        await AssertAwayAsync(response, HttpStatusCode.GatewayTimeout, "service_timeout");
        await gone.Task.WaitAsync(Deadline.Step);
    }

    [Theory]
    [InlineData("OPTIONS", "/api/photo-sets/1/tus")]
    [InlineData("POST", "/api/photo-sets/1/tus")]
    [InlineData("HEAD", "/api/photo-sets/1/tus/2")]
    [InlineData("PATCH", "/api/photo-sets/1/tus/2")]
    [InlineData("DELETE", "/api/photo-sets/1/tus/2")]
    public async Task Tus_WithItsMethodsAndHeaders_PassesBothWays(string method, string path)
    {
        gateway.Uploads.Requests.Clear();
        gateway.Uploads.Handler = static async context =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            context.Response.Headers["Upload-Offset"] = "3000000";
            context.Response.Headers["Tus-Resumable"] = "1.0.0";
            context.Response.Headers.Location = "/api/photo-sets/1/tus/2";
        };
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        (string Name, string Value)[] headers = [("Tus-Resumable", "1.0.0"), ("Upload-Length", "4000000"), ("Upload-Offset", "0"), ("Upload-Metadata", "filename ZGFk"), ("Upload-Checksum", "sha1 x")];
        foreach (var (name, value) in headers)
        {
            Assert.True(request.Headers.TryAddWithoutValidation(name, value));
        }

        if (method == "PATCH")
        {
            // More than an ordinary request may have.
            request.Content = new ByteArrayContent(new byte[3_000_000]);
            request.Content.Headers.ContentType = new("application/offset+octet-stream");
        }

        using var response = await gateway.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        Assert.Equal(("3000000", "1.0.0", "/api/photo-sets/1/tus/2"), (response.Headers.GetValues("Upload-Offset").Single(), response.Headers.GetValues("Tus-Resumable").Single(), response.Headers.Location?.ToString()));
        var seen = Assert.Single(gateway.Uploads.Requests);
        Assert.Equal((method, path), (seen.Method, seen.Path));
        Assert.All(headers, header => Assert.Equal(header.Value, seen.Headers[header.Name]));
    }

    [Fact]
    public async Task Tus_BytesOfAPatch_ArriveBeforeItEnds()
    {
        var first = new TaskCompletionSource();
        gateway.Uploads.Handler = async context =>
        {
            var buffer = new byte[64 * 1024];
            while (await context.Request.Body.ReadAsync(buffer) > 0)
            {
                first.TrySetResult();
            }
        };
        using var request = new HttpRequestMessage(HttpMethod.Patch, "/api/photo-sets/1/tus/2") { Content = new WaitingContent(first.Task) };
        using var response = await gateway.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    /// <summary>Sends its second half only when the first has arrived.</summary>
    private sealed class WaitingContent(Task arrived) : HttpContent
    {
        private const int HalfBytes = 64 * 1024;

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync(new byte[HalfBytes]);
            await stream.FlushAsync();
            await arrived.WaitAsync(Deadline.Step);
            await stream.WriteAsync(new byte[HalfBytes]);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 2 * HalfBytes;
            return true;
        }
    }

    [Fact]
    public async Task Request_ServiceAnswersSlowlyButSteadily_IsNotCutOff()
    {
        // In all longer than the gateway waits, and each pause so much shorter that a busy machine may stretch it twentyfold.
        var inactivity = TimeSpan.FromSeconds(5);
        var written = 0;
        gateway.Uploads.Handler = async context =>
        {
            var start = TimeProvider.System.GetTimestamp();
            while (TimeProvider.System.GetElapsedTime(start) < 1.2 * inactivity)
            {
                await context.Response.WriteAsync("x");
                await context.Response.Body.FlushAsync();
                written++;
                await Task.Delay(inactivity / 20);
            }
        };
        using var client = gateway.StartGateway(("Routing:UploadInactivity", $"{inactivity:c}"));
        var read = await client.GetStringAsync(new Uri("/api/photo-sets", UriKind.Relative));
        Assert.Equal(written, read.Length);
    }

    [Fact]
    public async Task Answer_ThatIsAServicesProblem_PassesUnchanged()
    {
        gateway.Uploads.Handler = context => Problem.WriteAsync(context, Problem.Details(422, "photo_truncated", "The photo is cut off.", "Send it again."));
        using var response = await gateway.Client.GetAsync(new Uri("/api/photo-sets/1", UriKind.Relative));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
        Assert.Equal("photo_truncated", (await GatewayFixture.ReadProblemAsync(response)).Code);
    }

    [Theory]
    [InlineData("/api/identities")]
    [InlineData("/api/photo-sets")]
    public async Task Body_LargerThanItsRouteTakes_IsRefusedUnread(string path)
    {
        gateway.Registry.Requests.Clear();
        gateway.Uploads.Requests.Clear();
        using var content = new ByteArrayContent(new byte[(1024 * 1024) + 1]);
        using var response = await gateway.Client.PostAsync(new Uri(path, UriKind.Relative), content);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        Assert.Equal("request_too_large", (await GatewayFixture.ReadProblemAsync(response)).Code);
        Assert.Empty(gateway.Registry.Requests);
        Assert.Empty(gateway.Uploads.Requests);
    }

    [Fact]
    public async Task Body_ThatTurnsOutTooLarge_IsCutOff()
    {
        gateway.Registry.Handler = async context => await context.Request.Body.CopyToAsync(Stream.Null, context.RequestAborted);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/identities") { Content = new ByteArrayContent(new byte[60 * 1024 * 1024]) };
        request.Headers.TransferEncodingChunked = true;
        using var response = await gateway.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        Assert.Equal("request_too_large", (await GatewayFixture.ReadProblemAsync(response)).Code);
    }

    [Theory]
    [InlineData("/api/photo-sets/1/photos", 30)]
    [InlineData("/webhooks/replicate/tok", 9)]
    public async Task Body_WithinItsRoutesLimit_PassesWhole(string path, int megabytes)
    {
        async Task CountAsync(HttpContext context)
        {
            context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = null;
            long length = 0;
            var buffer = new byte[64 * 1024];
            for (int read; (read = await context.Request.Body.ReadAsync(buffer)) > 0;)
            {
                length += read;
            }

            await context.Response.WriteAsync(length.ToString());
        }

        gateway.Uploads.Handler = CountAsync;
        gateway.Training.Handler = CountAsync;
        using var content = new ByteArrayContent(new byte[megabytes * 1024 * 1024]);
        using var response = await gateway.Client.PostAsync(new Uri(path, UriKind.Relative), content);
        Assert.Equal(content.Headers.ContentLength.ToString(), await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Webhook_LargerThanTenMegabytes_IsRefused()
    {
        using var content = new ByteArrayContent(new byte[(10 * 1024 * 1024) + 1]);
        using var response = await gateway.Client.PostAsync(new Uri("/webhooks/replicate/tok", UriKind.Relative), content);
        Assert.Equal("request_too_large", (await GatewayFixture.ReadProblemAsync(response)).Code);
    }

    [Fact]
    public async Task Upload_WhoseBodyIsStillOnItsWay_ReachesTheServiceAlready()
    {
        const int Part = 256 * 1024;
        const int Headroom = 64 * 1024;
        var arrived = new TaskCompletionSource<int>();
        gateway.Uploads.Handler = async context =>
        {
            // What the buffers on the way hold back is small, whatever the size of the upload.
            arrived.SetResult(await context.Request.Body.ReadAtLeastAsync(new byte[Part - Headroom], Part - Headroom));
            await context.Request.Body.CopyToAsync(Stream.Null);
            await context.Response.WriteAsync("done");
        };
        using var content = new PushedContent();
        var response = gateway.Client.PostAsync(new Uri("/api/photo-sets/1/photos", UriKind.Relative), content);
        var body = await content.Body.Task.WaitAsync(Deadline.Step);
        await body.WriteAsync(new byte[Part]);
        await body.FlushAsync();
        Assert.Equal(Part - Headroom, await arrived.Task.WaitAsync(Deadline.Step));
        Assert.False(response.IsCompleted);
        content.Finish();
        using var answer = await response.WaitAsync(Deadline.Step);
        Assert.Equal("done", await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Answer_ThatIsStillOnItsWay_ReachesTheCallerAlready()
    {
        var more = new TaskCompletionSource();
        gateway.Registry.Handler = async context =>
        {
            await context.Response.WriteAsync("first");
            await context.Response.Body.FlushAsync();
            await more.Task;
            await context.Response.WriteAsync("second");
        };
        await using var stream = await gateway.Client.GetStreamAsync(new Uri("/api/identities/1/model", UriKind.Relative)).WaitAsync(Deadline.Step);
        var buffer = new byte[16];
        Assert.Equal(5, await stream.ReadAtLeastAsync(buffer, 5).AsTask().WaitAsync(Deadline.Step));
        more.SetResult();
        using var reader = new StreamReader(stream);
        Assert.Equal("second", await reader.ReadToEndAsync().WaitAsync(Deadline.Step));
    }

    [Fact]
    public async Task Caller_WhoHangsUp_StopsTheService()
    {
        var started = new TaskCompletionSource();
        var stopped = new TaskCompletionSource();
        gateway.Training.Handler = async context =>
        {
            started.SetResult();
            try
            {
                await Task.Delay(Timeout.Infinite, context.RequestAborted);
            }
            catch (OperationCanceledException)
            {
                stopped.SetResult();
            }
        };
        using var hangUp = new CancellationTokenSource();
        var call = gateway.Client.GetAsync(new Uri("/api/ledger", UriKind.Relative), hangUp.Token);
        await started.Task.WaitAsync(Deadline.Step);
        await hangUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await stopped.Task.WaitAsync(Deadline.Step);
    }

    private static async Task AssertAwayAsync(HttpResponseMessage response, HttpStatusCode status, string code)
    {
        Assert.Equal(code, (await GatewayFixture.ReadProblemAsync(response)).Code);
        Assert.Equal(status, response.StatusCode);
        Assert.True(response.Headers.RetryAfter?.Delta > TimeSpan.Zero, "Retry-After is missing.");
    }

    private sealed class PushedContent : HttpContent
    {
        private readonly TaskCompletionSource _finished = new();

        public TaskCompletionSource<Stream> Body { get; } = new();

        public void Finish() => _finished.SetResult();

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            Body.SetResult(stream);
            await _finished.Task;
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
