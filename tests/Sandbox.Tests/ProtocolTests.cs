using System.Text.Json.Nodes;
using Flurrty.Sandbox.Tests.Support;
using Microsoft.Extensions.Options;

namespace Flurrty.Sandbox.Tests;

public sealed class ProtocolTests
{
    [Fact]
    public async Task Token_IsTakenInBothForms()
    {
        await using var sandbox = await RunningSandbox.StartAsync();

        Assert.Equal(200, (await sandbox.Replicate.GetAsync("/v1/account")).Status);
        Assert.Equal(200, (await sandbox.Replicate.SendAsync(HttpMethod.Get, "/v1/account", token: null, header: ("Authorization", $"Token {ReplicateDriver.Token}"))).Status);
        Assert.Equal(401, (await sandbox.Replicate.SendAsync(HttpMethod.Get, "/v1/account", token: null, header: ("Authorization", ReplicateDriver.Token))).Status);
        Assert.Equal("sandbox-user-2", (string?)(await sandbox.Replicate.GetAsync("/v1/account", ReplicateDriver.OtherToken))["username"]);
    }

    [Fact]
    public async Task UnknownPath_IsAProblem()
    {
        await using var sandbox = await RunningSandbox.StartAsync();

        var path = await sandbox.Replicate.GetAsync("/v1/identities");
        var method = await sandbox.Replicate.SendAsync(HttpMethod.Put, "/v1/account");
        var anonymous = await sandbox.Replicate.GetAsync("/v1/identities", token: null);
        var root = await sandbox.Replicate.GetAsync("/trainings");

        Assert.Equal((404, "application/problem+json"), (path.Status, path.ContentType));
        Assert.Equal((405, "application/problem+json"), (method.Status, method.ContentType));
        Assert.Equal(401, anonymous.Status);
        Assert.Equal(404, root.Status);
    }

    [Fact]
    public async Task Hardware_ListsTheSkus()
    {
        await using var sandbox = await RunningSandbox.StartAsync();

        var hardware = await sandbox.Replicate.GetAsync("/v1/hardware");

        Assert.Equal(["cpu", "gpu-t4", "gpu-l40s", "gpu-a100-large", "gpu-h100"], hardware.Json.AsArray().Select(item => (string?)item!["sku"]));
    }

    [Fact]
    public async Task RateLimit_IsCountedDownAndThenEnforced()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:Replicate:RequestsPerMinute=3");

        var answers = new List<Answer>();
        for (int number = 0; number < 4; number++)
        {
            answers.Add(await sandbox.Replicate.GetAsync("/v1/account"));
        }

        Assert.Equal([200, 200, 200, 429], answers.Select(answer => answer.Status));
        Assert.Equal(["2", "1", "0", "0"], answers.Select(answer => answer.Headers.GetValues("ratelimit-remaining").Single()));
        Assert.Matches(@"^Request was throttled\. Expected available in (1\d|20) seconds\.$", (string)answers[3]["detail"]!);
        Assert.False(answers[3].Headers.Contains("Retry-After"));
        Assert.Equal(200, (await sandbox.Replicate.GetAsync("/v1/account", ReplicateDriver.OtherToken)).Status);
    }

    [Fact]
    public async Task RateLimit_OfPredictions_IsItsOwn()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:Replicate:PredictionsPerMinute=1");
        var body = new JsonObject { ["input"] = new JsonObject { ["prompt"] = "a cat" } };

        Assert.Equal(201, (await sandbox.Replicate.PostAsync("/v1/models/black-forest-labs/flux-dev-lora/predictions", body)).Status);
        Assert.Equal(429, (await sandbox.Replicate.PostAsync("/v1/models/black-forest-labs/flux-dev-lora/predictions", body)).Status);
        Assert.Equal(200, (await sandbox.Replicate.GetAsync("/v1/account")).Status);
    }

    [Fact]
    public async Task RateLimit_OfAnAccountWithLittleCredit_HasNoBurst()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await sandbox.Replicate.SendAsync(HttpMethod.Patch, "/admin/replicate/accounts/sandbox-user", new JsonObject { ["requests_per_minute"] = 6 }, token: null);

        Assert.Equal(200, (await sandbox.Replicate.GetAsync("/v1/account")).Status);
        var throttled = await sandbox.Replicate.GetAsync("/v1/account");

        Assert.Equal(429, throttled.Status);
        Assert.InRange(int.Parse(throttled.Headers.GetValues("ratelimit-reset").Single()), 5, 10);
    }

    [Fact]
    public async Task NewTraining_PointsAtTheRoutesOfPredictions()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await sandbox.Replicate.CreateModelAsync();
        var file = await sandbox.Replicate.UploadAsync(Zips.Photos(3));

        var created = await sandbox.Replicate.TrainAsync(new JsonObject { ["input_images"] = file["urls"]!["get"]!.DeepClone() });
        string id = (string)created["id"]!;
        await sandbox.Replicate.EndAsync(id);
        var there = await sandbox.Replicate.GetAsync((string)created["urls"]!["get"]!);
        var here = await sandbox.Replicate.GetAsync($"/v1/trainings/{id}");

        Assert.Equal($"{sandbox.Replicate.Origin}/v1/predictions/{id}", (string?)created["urls"]!["get"]);
        Assert.Equal($"{sandbox.Replicate.Origin}/v1/trainings/{id}", (string?)here["urls"]!["get"]);
        Assert.Equal("succeeded", (string?)there["status"]);
        Assert.Equal(200, (await sandbox.Replicate.PostAsync((string)created["urls"]!["cancel"]!)).Status);
        Assert.Empty((await sandbox.Replicate.GetAsync("/v1/predictions"))["results"]!.AsArray());
    }

    [Fact]
    public async Task NewTraining_HasTheFieldsThatWereRecorded()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:SecondsPerTraining=60");
        await sandbox.Replicate.CreateModelAsync();

        var created = await sandbox.Replicate.TrainAsync(new JsonObject { ["input_images"] = "data:application/zip;base64,UEsDBBQAAAAA", ["steps"] = 100 });

        Assert.Equal(
            ["id", "model", "version", "input", "logs", "output", "data_removed", "error", "source", "status", "created_at", "urls"],
            created.Json.AsObject().Select(field => field.Key));
        Assert.Matches("^[0-9a-z]{26}$", (string)created["id"]!);
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", (string)created["created_at"]!);
        Assert.Equal("starting", (string?)created["status"]);
        Assert.Equal("", (string?)created["logs"]);
        Assert.Equal("ostris/flux-dev-lora-trainer", (string?)created["model"]);
        Assert.Equal("{\"input_images\":\"data:application/zip;base64,UEsDBBQAAAAA\",\"steps\":100}", created["input"]!.ToJsonString());
    }

    [Fact]
    public async Task Health_NeedsNoToken()
    {
        await using var sandbox = await RunningSandbox.StartAsync();

        Assert.Equal(200, (await sandbox.Replicate.GetAsync("/health", token: null)).Status);
        Assert.Equal(200, (await sandbox.Replicate.GetAsync("/alive", token: null)).Status);
    }

    [Fact]
    public async Task Admin_WithAToken_AsksForIt()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:AdminToken=let-me-in");

        Assert.Equal(401, (await sandbox.Replicate.GetAsync("/admin/invoice", token: null)).Status);
        Assert.Equal(401, (await sandbox.Replicate.GetAsync("/admin/invoice")).Status);
        Assert.Equal(200, (await sandbox.Replicate.GetAsync("/admin/invoice", "let-me-in")).Status);
    }

    [Fact]
    public async Task Admin_IsNotForWebPages()
    {
        await using var sandbox = await RunningSandbox.StartAsync();

        Assert.Equal(403, (await sandbox.Replicate.SendAsync(HttpMethod.Get, "/admin/invoice", token: null, header: ("Origin", "https://example.com"))).Status);
    }

    [Fact]
    public async Task Speed_CanBeChanged()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:SecondsPerTraining=600");

        var changed = await sandbox.Replicate.SendAsync(HttpMethod.Put, "/admin/speed", new JsonObject { ["seconds_per_training"] = 0.2 }, token: null);

        Assert.Equal(200, changed.Status);
        Assert.Equal("succeeded", (string?)(await sandbox.Replicate.EndAsync(await sandbox.Replicate.StartTrainingAsync()))["status"]);
        Assert.Equal(422, (await sandbox.Replicate.SendAsync(HttpMethod.Put, "/admin/speed", new JsonObject { ["seconds_per_training"] = 0 }, token: null)).Status);
    }

    [Fact]
    public async Task Options_ThatAreWrong_AreAllNamedAtStart()
    {
        using var data = new TempDirectory();
        await using var app = SandboxApplication.Create(["--urls=http://127.0.0.1:0", $"--Sandbox:DataDirectory={data.FullName}", "--Sandbox:SecondsPerTraining=-1", "--Sandbox:PublicUrl=here"]);

        var error = await Assert.ThrowsAsync<OptionsValidationException>(() => app.StartAsync());

        Assert.Equal(3, error.Failures.Count());
    }
}
