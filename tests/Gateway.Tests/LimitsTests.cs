using System.Net;
using Flurrty.Gateway.Limits;

namespace Flurrty.Gateway.Tests;

public sealed class LimitsTests(GatewayFixture gateway) : IClassFixture<GatewayFixture>
{
    [Fact]
    public async Task Account_BeyondItsLimit_IsToldWhenToComeBackAndOthersAreNot()
    {
        using var client = gateway.StartGateway(("Limits:PerAccount", "3"), ("Limits:Window", "01:00:00"));
        for (var i = 0; i < 3; i++)
        {
            using var allowed = await client.GetAsync(new Uri("/api/identities", UriKind.Relative));
            Assert.Equal(HttpStatusCode.OK, allowed.StatusCode);
            Assert.Equal("\"account\";q=3;w=3600", Assert.Single(allowed.Headers.GetValues("RateLimit-Policy")));
            Assert.StartsWith($"\"account\";r={2 - i};t=", Assert.Single(allowed.Headers.GetValues("RateLimit")), StringComparison.Ordinal);
        }

        using var refused = await client.GetAsync(new Uri("/api/identities", UriKind.Relative));
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal("rate_limited", (await GatewayFixture.ReadProblemAsync(refused)).Code);
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1));

        using var other = new HttpRequestMessage(HttpMethod.Get, "/api/identities");
        other.Headers.Add("Authorization", $"Bearer {GatewayFixture.OtherKey}");
        using var answered = await client.SendAsync(other);
        Assert.Equal(HttpStatusCode.OK, answered.StatusCode);
    }

    [Fact]
    public async Task Address_BeyondItsLimit_IsRefusedWithoutAKeyTooButHealthIsNot()
    {
        using var client = gateway.StartGateway(("Limits:PerAddress", "2"), ("Limits:Window", "01:00:00"));
        client.DefaultRequestHeaders.Authorization = null;
        for (var i = 0; i < 2; i++)
        {
            using var allowed = await client.GetAsync(new Uri("/api/identities", UriKind.Relative));
            Assert.Equal(HttpStatusCode.Unauthorized, allowed.StatusCode);
        }

        using var refused = await client.GetAsync(new Uri("/api/identities", UriKind.Relative));
        Assert.Equal("rate_limited", (await GatewayFixture.ReadProblemAsync(refused)).Code);
        Assert.Equal("Healthy", await client.GetStringAsync(new Uri("/health", UriKind.Relative)));
    }

    [Fact]
    public void Count_NextWindow_StartsAnew()
    {
        var time = new SetTime();
        var counter = new RequestCounter(time, TimeSpan.FromSeconds(10), 2);
        Assert.Equal([true, true, false], Enumerable.Range(0, 3).Select(_ => counter.Count("a").Allowed));
        time.Advance(TimeSpan.FromSeconds(9));
        var last = counter.Count("a");
        Assert.False(last.Allowed);
        Assert.Equal(TimeSpan.FromSeconds(1), last.Reset);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(new Standing(Allowed: true, 2, 1, TimeSpan.FromSeconds(10)), counter.Count("a"));
    }

    private sealed class SetTime : TimeProvider
    {
        private long _now = 1;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _now;

        public void Advance(TimeSpan by) => _now += by.Ticks;
    }
}
