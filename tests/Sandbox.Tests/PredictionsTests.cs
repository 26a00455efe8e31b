using System.Text.Json.Nodes;
using Flurrty.Sandbox.Tests.Support;

namespace Flurrty.Sandbox.Tests;

public sealed class PredictionsTests
{
    private const string ByModel = "/v1/models/black-forest-labs/flux-dev-lora/predictions";

    [Fact]
    public async Task Prediction_WithATrainedVersion_MakesImages()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:Replicate:SecondsPerPrediction=0.2");
        var replicate = sandbox.Replicate;
        var training = await replicate.EndAsync(await replicate.StartTrainingAsync());
        string version = ((string)training["output"]!["version"]!).Split(':')[1];

        var created = await replicate.PostAsync("/v1/predictions", new JsonObject { ["version"] = version, ["input"] = new JsonObject { ["prompt"] = "TOK", ["num_outputs"] = 2 } });
        var ended = await Eventually.HoldsAsync(
            async () => (await replicate.GetAsync($"/v1/predictions/{created["id"]}")).Json, prediction => (string?)prediction["status"] == "succeeded", "the prediction succeeded");

        Assert.Equal((201, "starting"), (created.Status, (string?)created["status"]));
        Assert.Equal(2, ended["output"]!.AsArray().Count);
        var image = await replicate.GetAsync((string)ended["output"]![1]!, token: null);
        Assert.Equal("image/webp", image.ContentType);
        Assert.Equal("RIFF"u8.ToArray(), image.Bytes[..4]);
        Assert.Equal(["training", "prediction"], (await replicate.InvoiceAsync())["runs"]!.AsArray().Select(run => (string?)run!["kind"]));
    }

    [Fact]
    public async Task Wait_AnswersWhenDoneOrWith202()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:Replicate:SecondsPerPrediction=600");
        var body = new JsonObject { ["input"] = new JsonObject { ["prompt"] = "a cat" } };

        async Task<Answer> SendAsync(string prefer) => await sandbox.Replicate.SendAsync(HttpMethod.Post, ByModel, body.DeepClone(), header: ("Prefer", prefer));
        var early = await SendAsync("wait=1");
        var waiting = SendAsync("wait");
        while (!waiting.IsCompleted)
        {
            await sandbox.Replicate.PostAsync("/admin/clock", new JsonObject { ["advance_seconds"] = 700 }, token: null);
            await Task.WhenAny(waiting, Task.Delay(TimeSpan.FromMilliseconds(100)));
        }

        var done = await waiting;
        var wrong = await SendAsync("wait=61");

        Assert.Equal((202, "starting"), (early.Status, (string?)early["status"]));
        Assert.Equal((201, "succeeded"), (done.Status, (string?)done["status"]));
        Assert.Equal(422, wrong.Status);
        Assert.Equal("hidden", (string?)done["version"]);
    }

    [Fact]
    public async Task Deadline_EndsAPrediction()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:Replicate:SecondsPerPrediction=600");
        var body = new JsonObject { ["input"] = new JsonObject { ["prompt"] = "a cat" } };
        var created = await sandbox.Replicate.SendAsync(HttpMethod.Post, ByModel, body, header: ("Cancel-After", "5s"));
        var wrong = await sandbox.Replicate.SendAsync(HttpMethod.Post, ByModel, body, header: ("Cancel-After", "4s"));

        await sandbox.Replicate.PostAsync("/admin/clock", new JsonObject { ["advance_seconds"] = 10 }, token: null);

        await Eventually.HoldsAsync(
            async () => (await sandbox.Replicate.GetAsync($"/v1/predictions/{created["id"]}")).Json, prediction => (string?)prediction["status"] == "aborted", "the prediction was aborted");
        Assert.Equal(422, wrong.Status);
    }

    [Fact]
    public async Task Prediction_WithABadRequest_IsRefused()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        var input = new JsonObject { ["prompt"] = "a cat" };

        Assert.Equal(422, (await sandbox.Replicate.PostAsync("/v1/predictions", new JsonObject { ["version"] = new string('a', 64), ["input"] = input.DeepClone() })).Status);
        Assert.Equal(422, (await sandbox.Replicate.PostAsync("/v1/predictions", new JsonObject { ["version"] = "ostris/flux-dev-lora-trainer", ["input"] = input.DeepClone() })).Status);
        Assert.Equal(404, (await sandbox.Replicate.PostAsync("/v1/models/nobody/nothing/predictions", new JsonObject { ["input"] = input.DeepClone() })).Status);
        Assert.Equal(422, (await sandbox.Replicate.PostAsync(ByModel, new JsonObject { ["input"] = input.DeepClone(), ["promt"] = "x" })).Status);
        Assert.Equal(422, (await sandbox.Replicate.PostAsync(ByModel, new JsonObject())).Status);
        Assert.Equal(0, (int)(await sandbox.Replicate.InvoiceAsync())["count"]!);
    }

    [Fact]
    public async Task Cancel_EndsAPrediction()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:Replicate:SecondsPerPrediction=600");
        var created = await sandbox.Replicate.PostAsync(ByModel, new JsonObject { ["input"] = new JsonObject { ["prompt"] = "a cat" } });

        var canceled = await sandbox.Replicate.PostAsync($"/v1/predictions/{created["id"]}/cancel");

        Assert.Equal((200, "canceled"), (canceled.Status, (string?)canceled["status"]));
    }

    [Fact]
    public async Task Webhook_OfAPrediction_IsSent()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:Replicate:SecondsPerPrediction=0.2");
        await using var receiver = await WebhookReceiver.StartAsync();

        await sandbox.Replicate.PostAsync(ByModel, new JsonObject { ["input"] = new JsonObject { ["prompt"] = "a cat" }, ["webhook"] = receiver.Url });

        var received = await receiver.UntilAsync(all => all.Count == 1, "the webhook arrived");
        Assert.Equal("succeeded", received[0].Status);
    }
}
