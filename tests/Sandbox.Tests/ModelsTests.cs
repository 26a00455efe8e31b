using System.Text.Json.Nodes;
using Flurrty.Sandbox.Tests.Support;

namespace Flurrty.Sandbox.Tests;

public sealed class ModelsTests
{
    [Fact]
    public async Task Create_OfAModel_AnswersWithTheModel()
    {
        await using var sandbox = await RunningSandbox.StartAsync();

        var created = await sandbox.Replicate.CreateModelAsync("anna-1.0_x");

        Assert.Equal(201, created.Status);
        Assert.Equal("application/json", created.ContentType);
        Assert.Equal(
            ["url", "owner", "name", "description", "visibility", "is_official", "github_url", "paper_url", "license_url", "run_count", "cover_image_url", "default_example", "latest_version"],
            created.Json.AsObject().Select(field => field.Key));
        Assert.Equal("https://replicate.com/sandbox-user/anna-1.0_x", (string?)created["url"]);
        Assert.Null(created["latest_version"]);
    }

    [Fact]
    public async Task Create_OfAModelThatExists_IsAConflict()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await sandbox.Replicate.CreateModelAsync();

        var again = await sandbox.Replicate.CreateModelAsync();

        Assert.Equal(409, again.Status);
        Assert.Equal("A model with that name and owner already exists.", (string?)again["detail"]);
        Assert.Equal("A model with that name and owner already exists.", (string?)again["errors"]![0]!["detail"]);
    }

    [Theory]
    [InlineData("owner", "somebody", 403)]
    [InlineData("owner", null, 422)]
    [InlineData("name", "Anna", 422)]
    [InlineData("name", "anna model", 422)]
    [InlineData("visibility", "secret", 422)]
    [InlineData("hardware", "gpu-of-my-own", 422)]
    [InlineData("hardware", null, 422)]
    public async Task Create_WithABadField_IsRefused(string field, string? value, int status)
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        var body = new JsonObject { ["owner"] = "sandbox-user", ["name"] = "anna", ["visibility"] = "private", ["hardware"] = "cpu", [field] = value };

        var refused = await sandbox.Replicate.PostAsync("/v1/models", body);

        Assert.Equal(status, refused.Status);
        Assert.Equal(404, (await sandbox.Replicate.GetAsync("/v1/models/sandbox-user/anna")).Status);
    }

    [Fact]
    public async Task Model_OfAnotherAccount_IsNotFound()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await sandbox.Replicate.CreateModelAsync();

        Assert.Equal(404, (await sandbox.Replicate.GetAsync("/v1/models/sandbox-user/anna", ReplicateDriver.OtherToken)).Status);
        Assert.Equal(404, (await sandbox.Replicate.SendAsync(HttpMethod.Delete, "/v1/models/sandbox-user/anna", token: ReplicateDriver.OtherToken)).Status);
    }

    [Fact]
    public async Task Change_OfAModel_KeepsWhatWasNotNamed()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await sandbox.Replicate.CreateModelAsync();

        await sandbox.Replicate.SendAsync(HttpMethod.Patch, "/v1/models/sandbox-user/anna", new JsonObject { ["description"] = "Anna", ["paper_url"] = "https://example.com/" });
        var changed = await sandbox.Replicate.SendAsync(HttpMethod.Patch, "/v1/models/sandbox-user/anna", new JsonObject { ["paper_url"] = null });

        Assert.Equal(200, changed.Status);
        Assert.Equal("Anna", (string?)changed["description"]);
        Assert.Null(changed["paper_url"]);
    }

    [Fact]
    public async Task Delete_OfAModel_NeedsItsVersionsGoneFirst()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        var replicate = sandbox.Replicate;
        var training = await replicate.EndAsync(await replicate.StartTrainingAsync());
        string version = ((string)training["output"]!["version"]!).Split(':')[1];
        string weights = (string)training["output"]!["weights"]!;

        Assert.Equal(403, (await replicate.SendAsync(HttpMethod.Delete, "/v1/models/sandbox-user/anna")).Status);
        Assert.Equal(202, (await replicate.SendAsync(HttpMethod.Delete, $"/v1/models/sandbox-user/anna/versions/{version}")).Status);
        Assert.Equal(404, (await replicate.GetAsync(weights, token: null)).Status);
        Assert.Equal(204, (await replicate.SendAsync(HttpMethod.Delete, "/v1/models/sandbox-user/anna")).Status);
        Assert.Equal(404, (await replicate.GetAsync("/v1/models/sandbox-user/anna")).Status);
    }

    [Fact]
    public async Task Trainers_ArePublicAndHaveATrainingSchema()
    {
        await using var sandbox = await RunningSandbox.StartAsync();

        var trainer = await sandbox.Replicate.GetAsync("/v1/models/ostris/flux-dev-lora-trainer");
        var versions = await sandbox.Replicate.GetAsync("/v1/models/ostris/flux-dev-lora-trainer/versions");
        var list = await sandbox.Replicate.GetAsync("/v1/models");

        Assert.Equal(ReplicateDriver.Version, (string?)trainer["latest_version"]!["id"]);
        var input = trainer["latest_version"]!["openapi_schema"]!["components"]!["schemas"]!["TrainingInput"]!;
        Assert.Equal((3, 6000, 1000), ((int)input["properties"]!["steps"]!["minimum"]!, (int)input["properties"]!["steps"]!["maximum"]!, (int)input["properties"]!["steps"]!["default"]!));
        Assert.Equal(25, input["properties"]!.AsObject().Count);
        Assert.Equal(3, versions["results"]!.AsArray().Count);
        Assert.Equal(
            ["ostris/flux-dev-lora-trainer", "replicate/fast-flux-trainer", "black-forest-labs/flux-dev-lora"],
            list["results"]!.AsArray().Select(model => $"{model!["owner"]}/{model["name"]}"));
        Assert.Equal(404, (await sandbox.Replicate.GetAsync("/v1/models/ostris/unknown")).Status);
    }
}
