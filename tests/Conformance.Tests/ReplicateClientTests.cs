using System.Text.Json.Nodes;

namespace Flurrty.Conformance.Tests;

/// <summary>The npm client <c>replicate</c>, as published, against the sandbox.</summary>
public sealed class ReplicateClientTests(ReplicateClientFixture fixture) : IClassFixture<ReplicateClientFixture>
{
    [Fact]
    public async Task Client_DrivesATrainingFromUploadToWeights()
    {
        var result = await fixture.RunAsync("flow.mjs");

        Assert.Equal("sandbox-user", Text(result["account"]!["username"]));
        Assert.Contains(result["hardware"]!.AsArray(), hardware => Text(hardware!["sku"]) == "gpu-h100");
        Assert.True((bool)result["sameFile"]!);
        Assert.Equal(1, (int)result["files"]!);
        Assert.Equal("photos.zip", Text(result["file"]!["name"]));
        Assert.Equal("1", Text(result["file"]!["metadata"]!["attempt"]));
        Assert.Contains(result["trainingInput"]!.AsArray(), input => Text(input) == "lora_rank");

        Assert.Equal("starting", Text(result["created"]!["status"]));
        Assert.Contains("processing", result["seen"]!.AsArray().Select(Text));
        Assert.Equal("succeeded", Text(result["waited"]));
        Assert.True((bool)result["echoIsTheUpload"]!);

        var training = result["training"]!;
        Assert.Equal("succeeded", Text(training["status"]));
        Assert.Contains("flux_train_replicate: 100%|", Text(training["logs"]), StringComparison.Ordinal);
        Assert.Equal($"sandbox-user/conformance:{result["version"]}", Text(training["output"]!["version"]));

        // The client's own helper takes the bar of the data set for the progress of the training, there as here.
        Assert.NotEqual(300, (int)result["clientProgress"]!["total"]!);

        Assert.Equal(["processing", "succeeded"], result["webhooks"]!.AsArray().Select(webhook => Text(webhook!["status"])).Order(StringComparer.Ordinal));
        Assert.All(result["webhooks"]!.AsArray(), webhook => Assert.Equal((true, false), ((bool)webhook!["valid"]!, (bool)webhook["forged"]!)));

        Assert.Equal("ustar", Text(result["weights"]!["tar"]));
        Assert.Contains(result["listed"]!.AsArray(), one => Text(one!["id"]) == Text(training["id"]) && Text(one["status"]) == "succeeded");
        Assert.NotEmpty(result["pages"]!.AsArray());
        Assert.True((bool)result["deleted"]!);
    }

    [Fact]
    public async Task Client_CancelsATraining()
    {
        var result = await fixture.RunAsync("cancel.mjs");

        Assert.Equal(["canceled", "canceled", "canceled"], ((string[])["early", "late", "again"]).Select(name => Text(result[name]!["status"])));
        Assert.Null(result["early"]!["logs"]);
        Assert.NotEqual("", Text(result["late"]!["logs"]));
        Assert.True((double)result["late"]!["metrics"]!["predict_time"]! > 0.001);
        Assert.StartsWith("buffer_", Text(result["name"]), StringComparison.Ordinal);
        Assert.Equal("application/octet-stream", Text(result["type"]));
    }

    [Fact]
    public async Task Client_UnderstandsRefusals()
    {
        var result = await fixture.RunAsync("errors.mjs");

        void Refused(string name, int status, string detail)
        {
            Assert.Equal("ApiError", Text(result[name]!["kind"]));
            Assert.Equal(status, (int)result[name]!["status"]!);
            Assert.Equal("application/problem+json", Text(result[name]!["type"]));
            Assert.Equal(detail, Text(result[name]!["body"]!["detail"]));
        }

        Refused("token", 401, "You did not pass a valid authentication token");
        Refused("destination", 404, "The specified training destination does not exist");
        Refused("version", 422, "The specified version does not exist (or perhaps you don't have permission to use it?)");
        Refused("exists", 409, "A model with that name and owner already exists.");
        Refused("file", 404, "File not found");
        Assert.Equal(404, (int)result["training"]!["status"]!);
        Assert.StartsWith("Prediction failed: Prediction input failed validation: {\"detail\":[{\"loc\":[\"body\",\"input\",\"steps\"]", Text(result["invalid"]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Client_RepeatsWhatItMay()
    {
        var result = await fixture.RunAsync("retries.mjs");

        Assert.Equal(2, (int)result["get"]!);
        Assert.Equal("retried", Text(result["model"]));
        Assert.Equal(1, (int)result["throttled"]!);
        Assert.Equal((1, 500), ((int)result["broken"]!, (int)result["status"]!));
    }

    [Fact]
    public async Task Client_RunsTheTrainedVersion()
    {
        var result = await fixture.RunAsync("run.mjs");

        Assert.Matches("/delivery/xezq/[A-Za-z0-9]+/flux-lora.tar$", Text(result["weights"]));
        Assert.Single(result["blocking"]!.AsArray());
        Assert.Equal(2, result["polling"]!.AsArray().Count);
        Assert.Equal(("succeeded", "hidden"), (Text(result["byModel"]!["status"]), Text(result["byModel"]!["version"])));
        Assert.Equal(3, (int)result["listed"]!);
        Assert.Equal((200, "image/webp"), ((int)result["image"]!["status"]!, Text(result["image"]!["type"])));
    }

    private static string Text(JsonNode? node) => (string?)node ?? "";
}
