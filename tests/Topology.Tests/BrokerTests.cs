using System.Diagnostics;

namespace Flurrty.Topology.Tests;

/// <summary>The broker away, and the broker that lost everything.</summary>
public sealed class BrokerTests(BrokerTests.Shared shared) : IClassFixture<BrokerTests.Shared>
{
    [Fact]
    public async Task Identity_RequestedWhileTheBrokerIsAway_IsAcceptedAndTrainedLater()
    {
        var topology = shared.Topology;
        var billed = (await topology.InvoiceAsync()).Count;
        var set = await topology.UploadAsync(topology.Client);
        await topology.CommandAsync("rabbitmq", "resource-stop");
        await Deadline.WaitAsync("rabbitmq stopped", Deadline.Step, () => Task.FromResult(topology.PidsOf("rabbitmq").Count == 0));

        var id = await topology.RequestIdentityAsync(topology.Client, set);
        Assert.Equal("pending", (string?)(await topology.GetAsync(topology.Client, $"/api/identities/{id}"))["status"]);
        Assert.Equal(billed, (await topology.InvoiceAsync()).Count);

        await topology.CommandAsync("rabbitmq", "resource-start");
        var identity = await topology.WaitForEndAsync(topology.Client, id, Deadline.Journey);
        Assert.True((string?)identity["status"] == "ready", identity.ToJsonString());
        Assert.Equal(billed + 1, (await topology.InvoiceAsync()).Count);
    }

    [Fact]
    public async Task Broker_ThatLostEverything_LetsEveryIdentityEnd()
    {
        var topology = shared.Topology;
        var billed = (await topology.InvoiceAsync()).Count;
        var set = await topology.UploadAsync(topology.Client);
        var ids = new List<string>();
        for (var i = 0; i < 20; i++)
        {
            ids.Add(await topology.RequestIdentityAsync(topology.Client, set, $"Number {i}"));
            // The states spread: the first are trained, the last just requested, when the broker goes.
            await Task.Delay(TimeSpan.FromMilliseconds(700));
        }

        await topology.CommandAsync("rabbitmq", "resource-stop");
        await Deadline.WaitAsync("rabbitmq stopped", Deadline.Step, () => Task.FromResult(topology.PidsOf("rabbitmq").Count == 0));
        using (var remove = Process.Start("rm", ["-rf", Path.Combine(topology.DataDirectory, "rabbitmq")]))
        {
            await remove.WaitForExitAsync();
        }

        await topology.CommandAsync("rabbitmq", "resource-start");
        foreach (var id in ids)
        {
            var identity = await topology.WaitForEndAsync(topology.Client, id, Deadline.Journey);
            Assert.True((string?)identity["status"] == "ready", identity.ToJsonString());
        }

        Assert.Equal(billed + 20, (await topology.InvoiceAsync()).Count);
    }

    public sealed class Shared : IAsyncLifetime
    {
        internal RunningTopology Topology { get; private set; } = null!;

        public async Task InitializeAsync() => Topology = await RunningTopology.StartAsync(args: "--Sandbox:SecondsPerTraining=12");

        public async Task DisposeAsync()
        {
            // Clients of a broker that is gone say so, and the health checks that look at it.
            Topology.ExpectErrors(@"^\w+: .*(RabbitMQ|MassTransit|HealthChecks|Flurrty\.Messaging)\b");
            await Topology.DisposeAsync();
        }
    }
}
