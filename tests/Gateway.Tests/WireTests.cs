using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Flurrty.ServiceDefaults.Tickets;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Flurrty.Gateway.Tests;

/// <summary>What no well-behaved client library sends, byte for byte.</summary>
public sealed class WireTests(GatewayFixture gateway) : IClassFixture<GatewayFixture>
{
    private const string Authorization = "Authorization: Bearer " + GatewayFixture.Key + "\r\n";

    [Theory]
    [InlineData("Referer", "https://example.test/caf\u00e9")]
    [InlineData("User-Agent", "Br\u00fccke/1.0")]
    [InlineData("If-None-Match", "\"\u00e9\"")]
    [InlineData("Idempotency-Key", "caf\u00e9")]
    [InlineData("Upload-Metadata", "filename caf\u00c3\u00a9")]
    [InlineData("Content-Type", "multipart/form-data; boundary=\u00e9\u00ff")]
    [InlineData("X-Anything", "\u0080\u00ff")]
    public async Task Header_WithBytesBeyondAscii_ReachesTheServiceAsItCame(string name, string value)
    {
        gateway.Uploads.Requests.Clear();
        var answer = await ExchangeAsync($"POST /api/photo-sets HTTP/1.1\r\nHost: x\r\n{Authorization}{name}: {value}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}");
        Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
        Assert.Equal(value, Assert.Single(gateway.Uploads.Requests).Headers[name]);
    }

    [Fact]
    public async Task AnswersHeader_WithBytesBeyondAscii_ReachesTheCallerAsItWas()
    {
        gateway.Uploads.Handler = static context =>
        {
            context.Response.Headers["Upload-Metadata"] = "filename caf\u00e9";
            return context.Response.WriteAsync("ok");
        };
        var answer = await ExchangeAsync($"GET /api/photo-sets HTTP/1.1\r\nHost: x\r\n{Authorization}Connection: close\r\n\r\n");
        Assert.Contains("Upload-Metadata: filename caf\u00e9\r\n", answer, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("GET", 2_900)]
    [InlineData("GET", 8_000)]
    [InlineData("LOOK", 4_000)]
    public async Task Request_WithALongPathOrMethod_ReachesTheService(string method, int length)
    {
        gateway.Registry.Requests.Clear();

        // The gateway writes each of them as three characters.
        var path = "/api/identities/" + new string('"', length);
        method = method == "LOOK" ? new string('L', length) : method;
        path = method.Length > 4 ? "/api/identities/1" : path;
        var answer = await ExchangeAsync($"{method} {path} HTTP/1.1\r\nHost: x\r\n{Authorization}Connection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
        var seen = Assert.Single(gateway.Registry.Requests);
        Assert.Equal((method, path), (seen.Method, seen.Path));
        Assert.InRange(seen.Headers[TicketAuthentication.HeaderName].Length, 100, 500);
    }

    [Fact]
    public async Task Request_WithAsManyHeadersAsTheGatewayTakes_ReachesTheService()
    {
        gateway.Registry.Requests.Clear();
        var many = string.Concat(Enumerable.Range(0, 95).Select(static i => string.Create(CultureInfo.InvariantCulture, $"X-Many-{i}: {new string('x', 320)}\r\n")));
        var answer = await ExchangeAsync($"GET /api/identities HTTP/1.1\r\nHost: x\r\n{Authorization}{many}Connection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
        Assert.Equal(95, Assert.Single(gateway.Registry.Requests).Headers.Keys.Count(static name => name.StartsWith("X-Many-", StringComparison.OrdinalIgnoreCase)));
    }

    public static TheoryData<string, int, string> Refused() => new()
    {
        { "GET /api/identities/%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request" },
        { "GET /api/identities/\u00e9 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request" },
        { "GET /api/identities HTTP/1.1\r\n\r\n", 400, "bad_request" },
        { "GET /api/identities HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, "bad_request" },
        { "GET /api/identities HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400, "bad_request" },
        { "nonsense\r\n\r\n", 400, "bad_request" },
        { "POST /api/identities HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n", 400, "bad_request" },
        { "POST /api/identities HTTP/1.0\r\nHost: x\r\n\r\n", 400, "bad_request" },
        { "GET /api/identities HTTP/3.7\r\nHost: x\r\n\r\n", 505, "http_version_unsupported" },
        { $"GET /{new string('a', 9_000)} HTTP/1.1\r\nHost: x\r\n\r\n", 414, "uri_too_long" },
        { $"GET / HTTP/1.1\r\nHost: x\r\nX-Long: {new string('a', 40_000)}\r\n\r\n", 431, "headers_too_large" },
        { $"GET / HTTP/1.1\r\nHost: x\r\n{string.Concat(Enumerable.Repeat("X-Many: 1\r\n", 120))}\r\n", 431, "headers_too_large" },
        { "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400, "bad_request" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task Request_ThatTheServerItselfRefuses_IsAProblem(string request, int status, string code) =>
        AssertProblem(await ExchangeAsync(request), status, code);

    [Fact]
    public async Task Request_RefusedAfterAnAnsweredOneOnItsConnection_IsAProblem()
    {
        var answer = await ExchangeAsync("GET /alive HTTP/1.1\r\nHost: x\r\n\r\nGET /%00 HTTP/1.1\r\nHost: x\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
        AssertProblem(answer[answer.LastIndexOf("HTTP/1.1 ", StringComparison.Ordinal)..], 400, "bad_request");
    }

    [Fact]
    public async Task HeadRequest_ThatTheServerItselfRefuses_HasNoBody()
    {
        var answer = await ExchangeAsync($"HEAD / HTTP/1.1\r\nHost: x\r\nX-Long: {new string('a', 40_000)}\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 431 ", answer, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Request_WhoseHeadersNeverEnd_IsAProblem()
    {
        using var client = gateway.StartGateway(static builder => builder.ConfigureServices(static services =>
            services.PostConfigure<KestrelServerOptions>(static kestrel => kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(1))));
        AssertProblem(await ExchangeAsync("GET /alive HTTP/1.1\r\nHost: x\r\n", client.BaseAddress), 408, "request_timeout");
    }

    [Fact]
    public async Task Body_ThatComesTooSlowly_IsAProblem()
    {
        gateway.Registry.Handler = static context => context.Request.Body.CopyToAsync(Stream.Null, context.RequestAborted);
        using var client = gateway.StartGateway(static builder => builder.ConfigureServices(static services =>
            services.PostConfigure<KestrelServerOptions>(static kestrel => kestrel.Limits.MinRequestBodyDataRate = new MinDataRate(bytesPerSecond: 1000, gracePeriod: TimeSpan.FromSeconds(1.5)))));
        AssertProblem(
            await ExchangeAsync($"POST /api/identities HTTP/1.1\r\nHost: x\r\n{Authorization}Content-Length: 1000\r\n\r\nx", client.BaseAddress), 408, "request_timeout");
    }

    private static void AssertProblem(string answer, int status, string code)
    {
        Assert.StartsWith(string.Create(CultureInfo.InvariantCulture, $"HTTP/1.1 {status} "), answer, StringComparison.Ordinal);
        var parts = answer.Split("\r\n\r\n", 2);
        Assert.Contains("\r\nContent-Type: application/problem+json", parts[0], StringComparison.OrdinalIgnoreCase);
        var problem = JsonElement.Parse(parts[1][parts[1].IndexOf('{', StringComparison.Ordinal)..(parts[1].LastIndexOf('}') + 1)]);
        Assert.Equal((status, code), (problem.GetProperty("status").GetInt32(), problem.GetProperty("code").GetString()));
        Assert.NotEmpty(problem.GetProperty("detail").GetString()!);
    }

    // Everything that the server answers until it closes the connection; one byte is one character.
    private async Task<string> ExchangeAsync(string request, Uri? address = null)
    {
        address ??= gateway.Address;
        using var client = new TcpClient();
        await client.ConnectAsync(address.Host, address.Port);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(request));
        using var reader = new StreamReader(stream, Encoding.Latin1);
        return await reader.ReadToEndAsync().WaitAsync(Deadline.Step);
    }
}
