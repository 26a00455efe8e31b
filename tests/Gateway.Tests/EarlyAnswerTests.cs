using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Flurrty.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Flurrty.Gateway.Tests;

/// <summary>A large body whose request is answered before it has arrived.</summary>
public sealed class EarlyAnswerTests(GatewayFixture gateway) : IClassFixture<GatewayFixture>
{
    private const int MiB = 1024 * 1024;
    private const int Size = 60 * MiB;
    private const string Path = "/api/photo-sets/1/photos";
    private const string Authorization = "Authorization: Bearer " + GatewayFixture.Key + "\r\n";

    // Over HTTP/1.1 an answer in the middle of a body is not promised (ADR 0017): it hangs on how fast the rest of it passes.
    public static TheoryData<string, int> Moments() => new()
    {
        { "http", 0 },
        { "h2c", 0 },
        { "h2c", 8 * MiB },
    };

    [Theory]
    [MemberData(nameof(Moments))]
    public async Task Upload_TheServiceRefuses_SendsAllAndThenReadsTheServicesAnswer(string link, int after)
    {
        gateway.Uploads.Handler = context => RefuseAsync(context, after);
        using var client = gateway.StartGateway(LinkedBy(link));
        var answer = await SendAllThenReadAsync(client.BaseAddress!, $"POST {Path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{Authorization}Content-Length: {Size}\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 404 ", answer, StringComparison.Ordinal);
        Assert.Contains("photo_set_not_found", answer, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Moments))]
    public async Task Upload_TheServiceRefuses_NodeReadsTheServicesAnswer(string link, int after)
    {
        gateway.Uploads.Handler = context => RefuseAsync(context, after);
        using var client = gateway.StartGateway(LinkedBy(link));
        Assert.Equal("404 photo_set_not_found", await FetchAsync(new Uri(client.BaseAddress!, Path), GatewayFixture.Key));
    }

    [Fact]
    public async Task Upload_AnsweredWithoutABodyBeforeItsOwnHasGone_GetsThatAnswer()
    {
        gateway.Uploads.Handler = static context =>
        {
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return Task.CompletedTask;
        };
        var answer = await SendAllThenReadAsync(gateway.Address, $"POST {Path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{Authorization}Content-Length: {Size}\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 204 ", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Upload_TheServiceRefuses_IsAnsweredWhileItsBodyIsStillOnItsWay()
    {
        gateway.Uploads.Handler = static context => RefuseAsync(context, 0);
        using var socket = new TcpClient();
        await socket.ConnectAsync(gateway.Address.Host, gateway.Address.Port);
        await using var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"POST {Path} HTTP/1.1\r\nHost: x\r\n{Authorization}Content-Length: {Size}\r\n\r\n"));
        await stream.WriteAsync(new byte[MiB]);

        // The rest is not sent before the answer was read.
        var buffer = new byte[64];
        await stream.ReadAtLeastAsync(buffer, 12).AsTask().WaitAsync(Deadline.Step);
        Assert.StartsWith("HTTP/1.1 404", Encoding.ASCII.GetString(buffer), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Uploads_ThatTheServiceDoesNotReadOn_HoldUpNoOther()
    {
        const int Stalled = 20;
        var arrived = new SemaphoreSlim(0);
        var goOn = new TaskCompletionSource();
        gateway.Uploads.Handler = async context =>
        {
            if (context.Request.Path.Value == Path)
            {
                arrived.Release();
                await goOn.Task;
            }

            await context.Request.Body.CopyToAsync(Stream.Null);
        };
        var stalled = Enumerable.Range(0, Stalled).Select(_ => gateway.Client.PostAsync(new Uri(Path, UriKind.Relative), new ByteArrayContent(new byte[4 * MiB]))).ToArray();
        for (var i = 0; i < Stalled; i++)
        {
            Assert.True(await arrived.WaitAsync(Deadline.Step));
        }

        using var other = await gateway.Client.PostAsync(new Uri("/api/photo-sets", UriKind.Relative), new ByteArrayContent(new byte[MiB])).WaitAsync(Deadline.Step);
        Assert.Equal(HttpStatusCode.OK, other.StatusCode);
        goOn.SetResult();
        foreach (var upload in stalled)
        {
            using var answer = await upload.WaitAsync(Deadline.Step);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }
    }

    [Theory]
    [InlineData(Path, "", 401, "api_key_missing")]
    [InlineData("/nowhere", Authorization, 404, "route_not_found")]
    [InlineData("/api/identities", Authorization, 413, "request_too_large")]
    public async Task Upload_TheGatewayRefuses_SendsAllAndThenReadsItsAnswer(string path, string headers, int status, string code)
    {
        var answer = await SendAllThenReadAsync(gateway.Address, $"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {Size}\r\n\r\n");
        Assert.StartsWith(string.Create(CultureInfo.InvariantCulture, $"HTTP/1.1 {status} "), answer, StringComparison.Ordinal);
        Assert.Contains(code, answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Limits:PerAddress")]
    [InlineData("Limits:PerAccount")]
    public async Task Upload_BeyondARateLimit_IsToldSo(string limit)
    {
        gateway.Uploads.Handler = static context => context.Request.Body.CopyToAsync(Stream.Null);
        using var client = gateway.StartGateway((limit, "1"), ("Limits:Window", "01:00:00"));
        using var first = await client.GetAsync(new Uri("/api/identities", UriKind.Relative));
        var answer = await SendAllThenReadAsync(client.BaseAddress!, $"POST {Path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{Authorization}Content-Length: {Size}\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 429 ", answer, StringComparison.Ordinal);
        Assert.Equal("429 rate_limited", await FetchAsync(new Uri(client.BaseAddress!, Path), GatewayFixture.Key));
    }

    [Fact]
    public async Task Connection_AfterADrainedBody_TakesTheNextRequest()
    {
        var answer = await SendAllThenReadAsync(
            gateway.Address, $"POST /nowhere HTTP/1.1\r\nHost: x\r\n{Authorization}Content-Length: {Size}\r\n\r\n", "GET /alive HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 404 ", answer, StringComparison.Ordinal);
        Assert.Contains("Healthy", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1000000", "00:05:00")]
    [InlineData("9223372036854775807", "00:00:00.100")]
    public async Task Body_LongerThanItIsWorth_EndsTheConnection(string bytes, string time)
    {
        var sent = 0L;
        using var client = gateway.StartGateway(("Server:DrainBytes", bytes), ("Server:DrainTime", time));
        using var socket = new TcpClient();
        await socket.ConnectAsync(client.BaseAddress!.Host, client.BaseAddress.Port);
        await using var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"POST /nowhere HTTP/1.1\r\nHost: x\r\n{Authorization}Content-Length: {long.MaxValue}\r\n\r\n"));
        var sending = Task.Run(async () =>
        {
            var chunk = new byte[64 * 1024];
            while (true)
            {
                await stream.WriteAsync(chunk);
                Interlocked.Add(ref sent, chunk.Length);
            }
        });
        await Assert.ThrowsAsync<IOException>(() => sending.WaitAsync(Deadline.Step));
        Assert.True(time != "00:05:00" || sent < Size, $"{sent} bytes were taken.");
    }

    [Fact]
    public async Task Caller_WhoWaitsForLeaveToSend_IsRefusedWithoutSending()
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(gateway.Address.Host, gateway.Address.Port);
        await using var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"POST /nowhere HTTP/1.1\r\nHost: x\r\n{Authorization}Expect: 100-continue\r\nContent-Length: {Size}\r\n\r\n"));
        var buffer = new byte[64];
        await stream.ReadAtLeastAsync(buffer, 12).AsTask().WaitAsync(Deadline.Step);
        Assert.StartsWith("HTTP/1.1 404", Encoding.ASCII.GetString(buffer), StringComparison.Ordinal);
    }

    private (string Key, string? Value)[] LinkedBy(string link) => link == "h2c" ? [] : [("services:uploads:h2c:0", null)];

    private static async Task RefuseAsync(HttpContext context, int after)
    {
        if (after > 0)
        {
            context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = null;
            await context.Request.Body.ReadExactlyAsync(new byte[after]);
        }

        await Problem.WriteAsync(context, Problem.Details(404, "photo_set_not_found", "There is no such photo set.", "Check its id."));
    }

    // The worst of callers: it does not look before it has sent everything.
    private static async Task<string> SendAllThenReadAsync(Uri address, string head, string next = "")
    {
        using var client = new TcpClient();
        await client.ConnectAsync(address.Host, address.Port);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(head));
        var chunk = new byte[64 * 1024];
        for (var sent = 0; sent < Size; sent += chunk.Length)
        {
            await stream.WriteAsync(chunk).AsTask().WaitAsync(Deadline.Step);
        }

        await stream.WriteAsync(Encoding.ASCII.GetBytes(next));
        using var reader = new StreamReader(stream, Encoding.ASCII);
        return await reader.ReadToEndAsync().WaitAsync(Deadline.Step);
    }

    private static async Task<string> FetchAsync(Uri address, string key)
    {
        const string Script = """
            const [address, key] = process.argv.slice(1);
            const form = new FormData();
            form.append("photos", new Blob([new Uint8Array(60 * 1024 * 1024)], { type: "image/jpeg" }), "large.jpg");
            const answer = await fetch(address, { method: "POST", headers: { Authorization: `Bearer ${key}` }, body: form });
            process.stdout.write(`${answer.status} ${(await answer.json()).code}`);
            """;
        using var node = new Process();
        node.StartInfo = new ProcessStartInfo("node", ["--input-type=module", "-e", Script, address.ToString(), key]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        node.Start();
        var output = node.StandardOutput.ReadToEndAsync();
        var errors = node.StandardError.ReadToEndAsync();
        await node.WaitForExitAsync().WaitAsync(Deadline.Step);
        return await output + await errors;
    }
}
