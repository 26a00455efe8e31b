using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;

namespace Flurrty.Gateway.Tests;

public sealed class DiscoveryTests(GatewayFixture gateway) : IClassFixture<GatewayFixture>
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);
    private static readonly Uri Identities = new("/api/identities", UriKind.Relative);

    [Fact]
    public async Task Requests_WhenTheReplicasChange_GoToThePresentOnes()
    {
        await using var first = await StartReplicaAsync("first");
        await using var second = await StartReplicaAsync("second");
        var addresses = new Addresses();
        using var client = gateway.StartGateway(builder => builder.ConfigureAppConfiguration(configuration => configuration.Add(addresses)), ("services:registry:h2c:0", first.Http2Address));
        Assert.Equal("first", await client.GetStringAsync(Identities));

        addresses.Change("services:registry:h2c:1", second.Http2Address);
        await EventuallyAsync(client, static replicas => replicas.SetEquals(["first", "second"]));

        addresses.Change("services:registry:h2c:0", second.Http2Address);
        await EventuallyAsync(client, static replicas => replicas.SetEquals(["second"]));
    }

    [Fact]
    public async Task Requests_OfAServiceWithReplicas_GoToEachOfThem()
    {
        await using var first = await StartReplicaAsync("first");
        await using var second = await StartReplicaAsync("second");
        using var client = gateway.StartGateway(("services:registry:h2c:0", first.Http2Address), ("services:registry:h2c:1", second.Http2Address));
        await EventuallyAsync(client, static replicas => replicas.SetEquals(["first", "second"]));
    }

    private async Task<StubService> StartReplicaAsync(string name)
    {
        var stub = await gateway.StartStubAsync("registry");
        stub.Handler = context => context.Response.WriteAsync(name);
        return stub;
    }

    // Which of two replicas takes a request is chance: thirty in a row to the same one are not.
    private static async Task EventuallyAsync(HttpClient client, Func<HashSet<string>, bool> condition)
    {
        const int Requests = 30;
        var start = TimeProvider.System.GetTimestamp();
        HashSet<string> seen;
        do
        {
            seen = new(StringComparer.Ordinal);
            for (var i = 0; i < Requests; i++)
            {
                seen.Add(await client.GetStringAsync(Identities));
            }

            Assert.True(condition(seen) || TimeProvider.System.GetElapsedTime(start) < Deadline, $"Answers came from {string.Join(", ", seen)}.");
        }
        while (!condition(seen));
    }

    /// <summary>Configuration that changes while the gateway runs.</summary>
    private sealed class Addresses : ConfigurationProvider, IConfigurationSource
    {
        public IConfigurationProvider Build(IConfigurationBuilder builder) => this;

        public void Change(string key, string value)
        {
            Set(key, value);
            OnReload();
        }
    }
}
