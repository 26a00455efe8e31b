using System.Text.Json.Nodes;

namespace Flurrty.Topology.Tests;

/// <summary>What a provider's refusals become: a failed version that says what to do, or a success after waiting. Never a hang.</summary>
public sealed class ProviderTests(ProviderTests.Shared shared) : IClassFixture<ProviderTests.Shared>
{
    private const string Create = "/v1/models/*/*/versions/*/trainings";

    private RunningTopology Topology => shared.Topology;

    [Theory]
    [InlineData(401, 0, "provider_credentials_refused")]
    [InlineData(402, 0, "provider_payment_required")]
    [InlineData(422, 1, "provider_rejected_input")]
    public async Task Create_RefusedForGood_FailsWithWhatToDo(int status, int count, string code)
    {
        var runs = (await Topology.InvoiceAsync()).Count;
        var fault = await FaultAsync(Refusal(status), count);
        var identity = await TrainAsync();
        await Topology.SandboxAdmin.DeleteAsync(new Uri($"/admin/faults/{fault["id"]}", UriKind.Relative));
        Assert.Equal("failed", (string?)identity["status"]);
        Assert.Equal(code, (string?)identity["error"]!["code"]);
        Assert.True(((string?)identity["error"]!["message"])?.Length > 20, identity.ToJsonString());
        Assert.Equal(runs, (await Topology.InvoiceAsync()).Count);
    }

    [Theory]
    [InlineData(401)]
    [InlineData(402)]
    public async Task Create_RefusedOnce_WaitsAndBecomesReady(int status)
    {
        var runs = (await Topology.InvoiceAsync()).Count;
        await FaultAsync(Refusal(status));
        await AssertReadyOnceAsync(runs);
    }

    [Fact]
    public async Task Create_Throttled_WaitsAndBecomesReady()
    {
        var runs = (await Topology.InvoiceAsync()).Count;
        await FaultAsync(new JsonObject
        {
            ["kind"] = "answer",
            ["status"] = 429,
            ["headers"] = new JsonObject { ["Retry-After"] = "2" },
            ["body"] = new JsonObject { ["detail"] = "Request was throttled. Expected available in 2 seconds." },
        });
        await AssertReadyOnceAsync(runs);
    }

    [Theory]
    [InlineData("after", "{\"kind\":\"answer\",\"when\":\"after\",\"status\":500,\"body\":\"\"}")]
    [InlineData("before", "{\"kind\":\"answer\",\"when\":\"before\",\"status\":500,\"body\":\"\"}")]
    [InlineData("never", "{\"kind\":\"hang\"}")]
    public async Task Create_WithUnknownOutcome_BecomesReadyWithOneRun(string when, string action)
    {
        var runs = (await Topology.InvoiceAsync()).Count;
        Assert.NotEmpty(when);
        await FaultAsync(JsonNode.Parse(action)!.AsObject());
        await AssertReadyOnceAsync(runs);
    }

    private async Task AssertReadyOnceAsync(int runs)
    {
        var identity = await TrainAsync();
        Assert.True((string?)identity["status"] == "ready", identity.ToJsonString());
        Assert.Equal(runs + 1, (await Topology.InvoiceAsync()).Count);
    }

    private static JsonObject Refusal(int status) => new() { ["kind"] = "answer", ["status"] = status, ["body"] = new JsonObject { ["detail"] = "Scripted." } };

    private Task<JsonObject> FaultAsync(JsonObject action, int count = 1) =>
        RunningTopology.PostAsync(Topology.SandboxAdmin, "/admin/faults", new JsonObject { ["method"] = "POST", ["path"] = Create, ["count"] = count, ["action"] = action });

    private async Task<JsonObject> TrainAsync()
    {
        var set = await Topology.UploadAsync(Topology.Client, photos: 3);
        return await Topology.WaitForEndAsync(Topology.Client, await Topology.RequestIdentityAsync(Topology.Client, set), Deadline.Journey);
    }

    public sealed class Shared : IAsyncLifetime
    {
        internal RunningTopology Topology { get; private set; } = null!;

        public async Task InitializeAsync() => Topology = await RunningTopology.StartAsync(builder =>
        {
            builder.CreateResourceBuilder((ProjectResource)builder.Resources.Single(static resource => resource.Name == "training"))
                .WithEnvironment("Driving__PostTimeout", "00:00:06")
                .WithEnvironment("Driving__PostLease", "00:00:15")
                .WithEnvironment("Driving__UnknownWait", "00:00:06")
                .WithEnvironment("Driving__AccessPause", "00:00:01")
                .WithEnvironment("Driving__AccessTimeout", "00:00:03");
            return Task.CompletedTask;
        });

        public async Task DisposeAsync() => await Topology.DisposeAsync();
    }
}
