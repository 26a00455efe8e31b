using System.Diagnostics;

namespace Flurrty.Topology.Tests;

/// <summary>The broker away, and the broker that lost everything.</summary>
public sealed class BrokerTests
{
    [Fact]
    public async Task Identity_RequestedWhileTheBrokerIsAway_IsAcceptedAndTrainedLater()
    {
        await using var topology = await RunningTopology.StartAsync();
        var set = await topology.UploadAsync(topology.Client);
        await topology.CommandAsync("rabbitmq", "resource-stop");
        await Deadline.WaitAsync("rabbitmq stopped", Deadline.Step, () => Task.FromResult(topology.PidsOf("rabbitmq").Count == 0));

        var id = await topology.RequestIdentityAsync(topology.Client, set);
        Assert.Equal("pending", (string?)(await topology.GetAsync(topology.Client, $"/api/identities/{id}"))["status"]);
        Assert.Empty(await topology.InvoiceAsync());

        await topology.CommandAsync("rabbitmq", "resource-start");
        var identity = await topology.WaitForEndAsync(topology.Client, id, Deadline.Journey);
        Assert.True((string?)identity["status"] == "ready", identity.ToJsonString());
        Assert.Single(await topology.InvoiceAsync());
    }

    [Fact]
    public async Task Broker_ThatLostEverything_LetsEveryIdentityEnd()
    {
        await using var topology = await RunningTopology.StartAsync(args: "--Sandbox:SecondsPerTraining=12");
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

        Assert.Equal(20, (await topology.InvoiceAsync()).Count);
    }
}
