using System.Net;
using System.Net.Sockets;
using System.Text;
using Flurrty.ServiceDefaults.Tickets;

namespace Flurrty.Gateway.Tests;

public sealed class AccessTests(GatewayFixture gateway) : IClassFixture<GatewayFixture>
{
    [Fact]
    public async Task Request_WithoutKey_IsRefusedAsMissing()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/identities");
        using var response = await SendWithoutKeyAsync(request);
        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal("api_key_missing", (await GatewayFixture.ReadProblemAsync(response)).Code);
        Assert.Equal("Bearer", response.Headers.WwwAuthenticate.Single().Scheme);
    }

    [Theory]
    [InlineData("Bearer flr_ZZZZ56789abcdefghijABCDEFGHIJ0000")]
    [InlineData("Bearer flr_short")]
    [InlineData("Bearer flr_0123456789abcdefghijABCDEFGHIJ0é")]
    [InlineData("Bearer flr_0123456789abcdefghijABCDEFGHIJ00, Bearer x")]
    public async Task Request_WithWrongKey_IsRefusedAsInvalid(string authorization)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/identities");
        request.Headers.TryAddWithoutValidation("Authorization", authorization.Replace("é", "%C3%A9", StringComparison.Ordinal));
        using var response = await SendWithoutKeyAsync(request);
        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal("api_key_invalid", (await GatewayFixture.ReadProblemAsync(response)).Code);
    }

    [Theory]
    [InlineData(GatewayFixture.Key)]
    [InlineData(" " + GatewayFixture.Key)]
    [InlineData("Bearer" + GatewayFixture.Key)]
    [InlineData("Token " + GatewayFixture.Key)]
    [InlineData("Basic dXNlcjpwYXNz")]
    [InlineData("Bearer")]
    [InlineData("")]
    public async Task Request_WithoutTheSchemeBearer_IsRefusedAndToldOfIt(string authorization)
    {
        gateway.Registry.Requests.Clear();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/identities");
        request.Headers.TryAddWithoutValidation("Authorization", authorization);

        // A key elsewhere does not mend it: the caller meant the one in Authorization.
        request.Headers.Add("X-Api-Key", GatewayFixture.Key);
        using var response = await SendWithoutKeyAsync(request);
        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        var (code, problem) = await GatewayFixture.ReadProblemAsync(response);
        Assert.Equal("bearer_scheme_missing", code);
        Assert.Contains("Authorization: Bearer flr_", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal("Bearer", response.Headers.WwwAuthenticate.Single().Scheme);
        Assert.Empty(gateway.Registry.Requests);
    }

    [Theory]
    [InlineData("Authorization", "Bearer " + GatewayFixture.Key)]
    [InlineData("Authorization", "bearer " + GatewayFixture.Key)]
    [InlineData("X-Api-Key", GatewayFixture.Key)]
    public async Task Request_WithKey_IsLetIn(string header, string value)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/identities");
        request.Headers.Add(header, value);
        using var response = await SendWithoutKeyAsync(request);
        Assert.Equal("ok", await response.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("/api/photo-sets/1/photos", "uploads")]
    [InlineData("/api/photo-sets", "uploads")]
    [InlineData("/api/identities/1/model", "registry")]
    [InlineData("/api/events", "registry")]
    [InlineData("/api/trainings/1", "training")]
    [InlineData("/api/estimates", "training")]
    [InlineData("/api/identities/a%20b/c%25d", "registry")]
    public async Task UserRoute_Request_ReachesItsServiceWithTheAccountsTicket(string path, string service)
    {
        var stub = service switch { "uploads" => gateway.Uploads, "training" => gateway.Training, _ => gateway.Registry };
        stub.Requests.Clear();
        using var response = await gateway.Client.GetAsync(new Uri(path + "?q=1", UriKind.Relative));
        Assert.Equal("ok", await response.Content.ReadAsStringAsync());
        var seen = Assert.Single(stub.Requests);
        Assert.Equal(Uri.UnescapeDataString(path), seen.Path);
        Assert.Equal("?q=1", seen.Query);
        Assert.Equal(new Caller(GatewayFixture.Account, TicketKind.User, "gateway"), seen.Caller);
    }

    [Fact]
    public async Task UserRoute_OtherKey_SpeaksForTheOtherAccount()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/providers");
        request.Headers.Add("X-Api-Key", GatewayFixture.OtherKey);
        gateway.Training.Requests.Clear();
        using var response = await SendWithoutKeyAsync(request);
        Assert.Equal(GatewayFixture.OtherAccount, Assert.Single(gateway.Training.Requests).Caller!.AccountId);
    }

    [Theory]
    [InlineData("GET", "/api/operator/dead-letters")]
    [InlineData("POST", "/api/operator/dead-letters/train-identity_error/1/replay")]
    public async Task OperatorRoute_OperatorKey_GetsAnOperatorsTicket(string method, string path)
    {
        gateway.Registry.Requests.Clear();
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Headers.Add("X-Api-Key", GatewayFixture.OperatorKey);
        using var response = await SendWithoutKeyAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(new Caller(GatewayFixture.Operator, TicketKind.Operator, "gateway"), Assert.Single(gateway.Registry.Requests).Caller);
    }

    [Theory]
    [InlineData(GatewayFixture.Key, HttpStatusCode.Forbidden, "operator_key_required")]
    [InlineData(null, HttpStatusCode.Unauthorized, "api_key_missing")]
    public async Task OperatorRoute_WithoutOperatorKey_IsRefusedAndNotForwarded(string? key, HttpStatusCode status, string code)
    {
        gateway.Registry.Requests.Clear();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/operator/dead-letters");
        if (key is not null)
        {
            request.Headers.Add("X-Api-Key", key);
        }

        using var response = await SendWithoutKeyAsync(request);
        Assert.Equal((status, code), (response.StatusCode, (await GatewayFixture.ReadProblemAsync(response)).Code));
        Assert.Empty(gateway.Registry.Requests);
    }

    [Theory]
    [InlineData("/api/identities")]
    [InlineData("/api/trainings/1")]
    [InlineData("/api/photo-sets")]
    public async Task UserRoute_OperatorKey_IsRefusedAndNotForwarded(string path)
    {
        var stubs = new[] { gateway.Uploads, gateway.Training, gateway.Registry };
        Array.ForEach(stubs, static stub => stub.Requests.Clear());
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add("X-Api-Key", GatewayFixture.OperatorKey);
        using var response = await SendWithoutKeyAsync(request);
        Assert.Equal((HttpStatusCode.Forbidden, "user_key_required"), (response.StatusCode, (await GatewayFixture.ReadProblemAsync(response)).Code));
        Assert.Empty(stubs.SelectMany(static stub => stub.Requests));
    }

    [Theory]
    [InlineData("/webhooks/replicate/tok", TicketKind.Webhook)]
    [InlineData("/worker/next", TicketKind.Worker)]
    public async Task OpenRoute_WithoutKey_GetsATicketOfItsKindForNoAccount(string path, TicketKind kind)
    {
        gateway.Training.Requests.Clear();
        using var request = new HttpRequestMessage(HttpMethod.Post, path);
        using var response = await SendWithoutKeyAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(new Caller(Guid.Empty, kind, "gateway"), Assert.Single(gateway.Training.Requests).Caller);
    }

    [Fact]
    public async Task OpenRoute_WithKey_StillSpeaksForNoAccount()
    {
        gateway.Training.Requests.Clear();
        using var response = await gateway.Client.PostAsync(new Uri("/webhooks/replicate/tok", UriKind.Relative), content: null);
        Assert.Equal(new Caller(Guid.Empty, TicketKind.Webhook, "gateway"), Assert.Single(gateway.Training.Requests).Caller);
    }

    [Fact]
    public async Task Ticket_TakenToAnotherAddress_IsRefusedThere()
    {
        gateway.Registry.Requests.Clear();
        using var response = await gateway.Client.GetAsync(new Uri("/api/identities/mine", UriKind.Relative));
        var ticket = Assert.Single(gateway.Registry.Requests).Headers[TicketAuthentication.HeaderName];
        Assert.Equal(HttpStatusCode.OK, await CallDirectlyAsync(HttpMethod.Get, gateway.Registry, "/api/identities/mine", ticket));
        Assert.Equal(HttpStatusCode.Unauthorized, await CallDirectlyAsync(HttpMethod.Delete, gateway.Registry, "/api/identities/mine", ticket));
        Assert.Equal(HttpStatusCode.Unauthorized, await CallDirectlyAsync(HttpMethod.Get, gateway.Registry, "/api/identities/other", ticket));
        Assert.Equal(HttpStatusCode.Unauthorized, await CallDirectlyAsync(HttpMethod.Get, gateway.Uploads, "/api/identities/mine", ticket));
    }

    [Theory]
    [InlineData("203.0.113.7")]
    [InlineData("203.0.113.7, 198.51.100.1")]
    public async Task Request_WithAnAddressOfItsOwn_ArrivesWithTheOneThatTheGatewaySees(string claimed)
    {
        gateway.Uploads.Requests.Clear();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/photo-sets/1/consent") { Content = new StringContent("{}") };
        Assert.True(request.Headers.TryAddWithoutValidation("X-Forwarded-For", claimed));
        using var response = await gateway.Client.SendAsync(request);
        Assert.Equal("127.0.0.1", Assert.Single(gateway.Uploads.Requests).Headers["X-Forwarded-For"]);
    }

    [Fact]
    public async Task Request_WithHeadersThatOnlyTheGatewayMaySet_LosesThem()
    {
        gateway.Registry.Requests.Clear();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/identities") { Content = new StringContent("{}") };
        request.Headers.Add("X-Flurrty-Ticket", "forged");
        request.Headers.Add("x-flurrty-account", GatewayFixture.OtherAccount.ToString());
        request.Headers.Add("X-Api-Key", GatewayFixture.OtherKey);
        request.Headers.Add("Cookie", "session=secret");
        request.Headers.Add("Idempotency-Key", "kept");
        request.Headers.Add("baggage", "user=mallory");
        request.Headers.Add("tracestate", "x=y");
        request.Content.Headers.TryAddWithoutValidation("X-Flurrty-Content", "forged");
        using var response = await gateway.Client.SendAsync(request);
        Assert.Equal("ok", await response.Content.ReadAsStringAsync());
        var seen = Assert.Single(gateway.Registry.Requests);
        Assert.Equal(GatewayFixture.Account, seen.Caller!.AccountId);
        Assert.Equal("kept", seen.Headers["Idempotency-Key"]);
        Assert.DoesNotContain("forged", seen.Headers[TicketAuthentication.HeaderName], StringComparison.Ordinal);
        Assert.Equal(
            [TicketAuthentication.HeaderName], seen.Headers.Keys.Where(name => name.StartsWith("X-Flurrty-", StringComparison.OrdinalIgnoreCase)), StringComparer.OrdinalIgnoreCase);
        Assert.Empty(seen.Headers.Keys.Intersect(["Authorization", "X-Api-Key", "Cookie", "baggage", "tracestate"], StringComparer.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task Request_WithACallersTraceparent_GetsATraceOfOurOwn()
    {
        const string Theirs = "0af7651916cd43dd8448eb211c80319c";
        gateway.Registry.Requests.Clear();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/identities");
        request.Headers.Add("traceparent", $"00-{Theirs}-b7ad6b7169203331-00");
        using var response = await gateway.Client.SendAsync(request);
        var traceparent = Assert.Single(gateway.Registry.Requests).Headers["traceparent"];
        Assert.Matches("^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$", traceparent);
        Assert.DoesNotContain(Theirs, traceparent, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/internal/seals/1")]
    [InlineData("/nowhere")]
    [InlineData("/api")]
    [InlineData("/api/unknown")]
    [InlineData("/webhooks/replicate")]
    public async Task UnknownAddress_WithOrWithoutKey_IsAProblem(string path)
    {
        using var withKey = await gateway.Client.GetAsync(new Uri(path, UriKind.Relative));
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        using var without = await SendWithoutKeyAsync(request);
        foreach (var response in new[] { withKey, without })
        {
            Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
            Assert.Equal("route_not_found", (await GatewayFixture.ReadProblemAsync(response)).Code);
        }
    }

    [Theory]
    [InlineData("/api/identities/../../internal/trainings/1")]
    [InlineData("/api/identities/%2e%2e/%2e%2e/internal/trainings/1")]
    [InlineData("/api/identities/..%2f..%2finternal/trainings/1")]
    [InlineData("/api/photo-sets/%2e%2e%2f%2e%2e%2finternal%2fseals%2f1")]
    [InlineData("//internal/seals/1")]
    [InlineData("/api/identities/..;/..;/internal/x")]
    [InlineData("/api/identities\\..\\..\\internal\\x")]
    public async Task CraftedAddress_NeverReachesAnInternalPath(string path)
    {
        var stubs = new[] { gateway.Uploads, gateway.Training, gateway.Registry };
        foreach (var stub in stubs)
        {
            stub.Requests.Clear();
        }

        var answer = await SendRawAsync($"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {GatewayFixture.Key}\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 ", answer, StringComparison.Ordinal);
        Assert.All(stubs.SelectMany(stub => stub.Requests), seen => Assert.StartsWith("/api/", seen.Path, StringComparison.Ordinal));
        Assert.All(stubs.SelectMany(stub => stub.Requests), seen => Assert.DoesNotContain("/../", seen.Path, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("/health")]
    [InlineData("/alive")]
    public async Task Health_WithoutKey_Answers(string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        using var response = await SendWithoutKeyAsync(request);
        Assert.Equal("Healthy", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Log_AfterRequestsWithKeysAndTokens_HoldsNone()
    {
        using var good = await gateway.Client.GetAsync(new Uri("/api/identities?secret=hunter2", UriKind.Relative));
        using var bad = new HttpRequestMessage(HttpMethod.Get, "/api/identities");
        bad.Headers.Add("X-Api-Key", "flr_WRONGWRONGWRONGWRONGWRONGWRONG00");
        using var refused = await SendWithoutKeyAsync(bad);
        using var hook = await gateway.Client.PostAsync(new Uri("/webhooks/replicate/token-as-capability", UriKind.Relative), content: null);
        string[] secrets = ["flr_", "hunter2", "token-as-capability"];
        var lines = gateway.Log.Where(line => !line.StartsWith("Trace", StringComparison.Ordinal) && !line.StartsWith("Debug", StringComparison.Ordinal)).ToArray();
        Assert.NotEmpty(lines);
        Assert.DoesNotContain(lines, line => Array.Exists(secrets, secret => line.Contains(secret, StringComparison.Ordinal)));
    }

    private static async Task<HttpStatusCode> CallDirectlyAsync(HttpMethod method, StubService stub, string path, string ticket)
    {
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(method, stub.Address + path);
        request.Headers.Add(TicketAuthentication.HeaderName, ticket);
        using var response = await client.SendAsync(request);
        return response.StatusCode;
    }

    private async Task<HttpResponseMessage> SendWithoutKeyAsync(HttpRequestMessage request)
    {
        using var client = new HttpClient { BaseAddress = gateway.Address };
        return await client.SendAsync(request);
    }

    private async Task<string> SendRawAsync(string request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(gateway.Address.Host, gateway.Address.Port);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request));
        using var reader = new StreamReader(stream, Encoding.ASCII);
        return await reader.ReadToEndAsync();
    }
}
