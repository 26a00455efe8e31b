using System.Net;
using Flurrty.Gateway.Proxies;

namespace Flurrty.Gateway.Tests;

public sealed class ProxiesTests(GatewayFixture gateway) : IClassFixture<GatewayFixture>
{
    private const string Anna = "203.0.113.7";
    private const string Ben = "2001:db8::7";

    // The tests' own calls come from 127.0.0.1, so that is the balancer here.
    private static readonly (string Key, string? Value)[] BehindBalancer = [("Proxies:Trusted:0", "127.0.0.0/8"), ("Limits:PerAddress", "1"), ("Limits:Window", "01:00:00")];

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("127.0.0.0/8")]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("::ffff:127.0.0.0/104")]
    public async Task Callers_BehindAConfiguredProxy_HaveBucketsAndAddressesOfTheirOwn(string trusted)
    {
        using var client = gateway.StartGateway([.. BehindBalancer, ("Proxies:Trusted:0", trusted)]);
        gateway.Uploads.Requests.Clear();
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(client, Anna));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(client, Ben));
        Assert.Equal([Anna, Ben], gateway.Uploads.Requests.Select(static seen => seen.Headers["X-Forwarded-For"]));
        Assert.Equal(HttpStatusCode.TooManyRequests, await StatusAsync(client, Anna));
        Assert.Equal(HttpStatusCode.TooManyRequests, await StatusAsync(client, Ben));

        // The same caller, as a socket of both families writes it.
        Assert.Equal(HttpStatusCode.TooManyRequests, await StatusAsync(client, "::ffff:" + Anna));
    }

    [Theory]
    [InlineData(null, "false")]
    [InlineData(null, "true")]
    [InlineData("10.0.0.0/8", "false")]
    [InlineData("10.0.0.0/8", "true")]
    public async Task Caller_WhoIsNoConfiguredProxy_ForgesInVain(string? trusted, string believedByTheHost)
    {
        using var client = gateway.StartGateway([.. BehindBalancer, ("Proxies:Trusted:0", trusted), ("FORWARDEDHEADERS_ENABLED", believedByTheHost)]);
        gateway.Uploads.Requests.Clear();
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(client, Anna));
        var seen = Assert.Single(gateway.Uploads.Requests);
        Assert.Equal(("127.0.0.1", "http"), (seen.Headers["X-Forwarded-For"], seen.Headers["X-Forwarded-Proto"]));
        Assert.Equal(HttpStatusCode.TooManyRequests, await StatusAsync(client, Ben));
    }

    [Theory]
    [InlineData("1", "198.51.100.1")]
    [InlineData("2", "127.0.0.9")]
    [InlineData("3", Anna)]
    public async Task Proxies_OneBehindTheOther_AreBelievedAsFarAsHopsSay(string hops, string expected)
    {
        using var client = gateway.StartGateway(("Proxies:Trusted:0", "127.0.0.0/8"), ("Proxies:Trusted:1", "198.51.100.1"), ("Proxies:Hops", hops));
        gateway.Uploads.Requests.Clear();
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(client, $"192.0.2.66, {Anna}, 127.0.0.9, 198.51.100.1"));
        Assert.Equal(expected, Assert.Single(gateway.Uploads.Requests).Headers["X-Forwarded-For"]);
    }

    [Fact]
    public async Task Caller_BeforeTheProxies_CannotAddHopsOfItsOwn()
    {
        using var client = gateway.StartGateway(("Proxies:Trusted:0", "127.0.0.0/8"), ("Proxies:Hops", "10"));
        gateway.Uploads.Requests.Clear();
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(client, $"192.0.2.66, {Anna}"));
        Assert.Equal(Anna, Assert.Single(gateway.Uploads.Requests).Headers["X-Forwarded-For"]);
    }

    [Fact]
    public async Task Request_WithOtherWordsAboutItsCaller_ReachesTheServiceWithoutThem()
    {
        using var client = gateway.StartGateway(("Proxies:Trusted:0", "127.0.0.1"));
        gateway.Uploads.Requests.Clear();
        string[] names = ["Forwarded", "X-Real-IP", "X-Original-For", "X-Original-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server"];
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/photo-sets");
        request.Headers.Add("X-Forwarded-For", Anna);
        request.Headers.Add("X-Forwarded-Proto", "https");
        Array.ForEach(names, name => Assert.True(request.Headers.TryAddWithoutValidation(name, "192.0.2.66")));
        Assert.True(request.Headers.TryAddWithoutValidation("X-Kept", "192.0.2.66"));
        using var response = await client.SendAsync(request);
        var seen = Assert.Single(gateway.Uploads.Requests);
        Assert.Equal((Anna, "https", "192.0.2.66"), (seen.Headers["X-Forwarded-For"], seen.Headers["X-Forwarded-Proto"], seen.Headers["X-Kept"]));
        Assert.Empty(seen.Headers.Keys.Intersect(names, StringComparer.OrdinalIgnoreCase));
    }

    [Theory]
    [InlineData("10.1.2.3", "10.1.2.3/32")]
    [InlineData("10.1.0.0/16", "10.1.0.0/16")]
    [InlineData("fd00:1::/64", "fd00:1::/64")]
    [InlineData("::ffff:10.1.0.0/112", "10.1.0.0/16")]
    [InlineData("10.1.2.3/16", null)]
    [InlineData("0.0.0.0/0", null)]
    [InlineData("::/0", null)]
    [InlineData("::ffff:0.0.0.0/96", null)]
    [InlineData("10.1", null)]
    [InlineData("10.1.0.0/33", null)]
    [InlineData("10.1.0.0/ 16", null)]
    [InlineData("10.1.0.0/", null)]
    [InlineData("balancer.example", null)]
    [InlineData("", null)]
    public void NetworkOf_Entry_IsOneNetworkOrNone(string entry, string? expected) => Assert.Equal(expected, ProxiesOptions.NetworkOf(entry)?.ToString());

    [Fact]
    public void Start_WrongProxies_FailsAndNamesEachOfThem()
    {
        var failure = Assert.ThrowsAny<Exception>(() => gateway.StartGateway(("Proxies:Trusted:0", "10.0.0.0/8"), ("Proxies:Trusted:1", "everybody"), ("Proxies:Hops", "0")));
        Assert.All(["Proxies:Trusted:1", "Proxies:Hops"], setting => Assert.Contains(setting, failure.ToString(), StringComparison.Ordinal));
        Assert.DoesNotContain("Proxies:Trusted:0", failure.ToString(), StringComparison.Ordinal);
    }

    private static async Task<HttpStatusCode> StatusAsync(HttpClient client, string forwardedFor)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/photo-sets");
        Assert.True(request.Headers.TryAddWithoutValidation("X-Forwarded-For", forwardedFor));
        using var response = await client.SendAsync(request);
        return response.StatusCode;
    }
}
