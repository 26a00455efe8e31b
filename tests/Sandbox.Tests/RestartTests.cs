using System.Text.Json.Nodes;
using Flurrty.Sandbox.Tests.Support;

namespace Flurrty.Sandbox.Tests;

/// <summary>The real process, killed without warning.</summary>
public sealed class RestartTests
{
    [Fact]
    public async Task Kill_BetweenReceivingAndAnswering_KeepsTheRunOnTheInvoice()
    {
        using var data = new TempDirectory();
        await using (var sandbox = await SandboxProcess.StartAsync(data.FullName))
        {
            var replicate = sandbox.Replicate;
            await replicate.CreateModelAsync();
            var file = await replicate.UploadAsync(Zips.Photos(3));
            string fault = await replicate.FaultAsync(Hold("after"));
            var create = replicate.TrainAsync(new JsonObject { ["input_images"] = file["urls"]!["get"]!.DeepClone() });
            await replicate.HeldAsync(fault);
            Assert.False(create.IsCompleted);

            await sandbox.KillAsync();

            await Assert.ThrowsAnyAsync<HttpRequestException>(() => create);
        }

        await using var again = await SandboxProcess.StartAsync(data.FullName);
        var invoice = await again.Replicate.InvoiceAsync();
        Assert.Equal(1, (int)invoice["count"]!);
        string id = (string)invoice["runs"]![0]!["id"]!;
        Assert.Equal("succeeded", (string?)(await again.Replicate.EndAsync(id))["status"]);
        Assert.Equal(1, (int)(await again.Replicate.InvoiceAsync())["count"]!);
    }

    [Fact]
    public async Task Kill_BeforeTheRequestCounts_LeavesNothing()
    {
        using var data = new TempDirectory();
        await using (var sandbox = await SandboxProcess.StartAsync(data.FullName))
        {
            await sandbox.Replicate.CreateModelAsync();
            string fault = await sandbox.Replicate.FaultAsync(Hold("before"));
            var create = sandbox.Replicate.TrainAsync(new JsonObject { ["input_images"] = "https://example.com/photos.zip" });
            await sandbox.Replicate.HeldAsync(fault);
            await sandbox.KillAsync();
            await Assert.ThrowsAnyAsync<HttpRequestException>(() => create);
        }

        await using var again = await SandboxProcess.StartAsync(data.FullName);
        Assert.Equal(0, (int)(await again.Replicate.InvoiceAsync())["count"]!);
        Assert.Empty((await again.Replicate.GetAsync("/v1/trainings"))["results"]!.AsArray());
    }

    [Fact]
    public async Task Kill_WhileItTrains_DoesNotStopTheTraining()
    {
        using var data = new TempDirectory();
        await using var receiver = await WebhookReceiver.StartAsync();
        string id;
        string secret;
        JsonNode before;
        await using (var sandbox = await SandboxProcess.StartAsync(data.FullName, "--Sandbox:SecondsPerTraining=4"))
        {
            id = await sandbox.Replicate.StartTrainingAsync(new JsonObject { ["webhook"] = receiver.Url });
            secret = (await sandbox.Replicate.GetAsync("/v1/webhooks/default/secret")).Text;
            before = await sandbox.Replicate.UntilAsync(id, "processing");
            await sandbox.KillAsync();
        }

        await using var again = await SandboxProcess.StartAsync(data.FullName);
        var after = await again.Replicate.TrainingAsync(id);
        Assert.Equal((string?)before["started_at"], (string?)after["started_at"]);
        Assert.Equal("succeeded", (string?)(await again.Replicate.EndAsync(id))["status"]);
        Assert.Equal(secret, (await again.Replicate.GetAsync("/v1/webhooks/default/secret")).Text);
        await receiver.UntilAsync(all => all.Any(one => one.Status == "succeeded"), "the webhook arrived");
        var run = (await again.Replicate.InvoiceAsync())["runs"]![0]!;
        Assert.Equal("succeeded", (string?)run["status"]);
        Assert.True((double)run["billed_seconds"]! > 3);
    }

    [Fact]
    public async Task Kill_BeforeAWebhookWasTaken_SendsItAgainUnderTheSameId()
    {
        using var data = new TempDirectory();
        bool open = false;
        await using var receiver = await WebhookReceiver.StartAsync(_ => open ? 200 : 500);
        await using (var sandbox = await SandboxProcess.StartAsync(data.FullName, "--Sandbox:Replicate:WebhookAttempts=20"))
        {
            await sandbox.Replicate.StartTrainingAsync(new JsonObject { ["webhook"] = receiver.Url, ["webhook_events_filter"] = new JsonArray("completed") });
            await receiver.UntilAsync(all => all.Count > 0, "a webhook arrived");
            await sandbox.KillAsync();
        }

        int refused = receiver.Received.Count;
        open = true;
        await using var again = await SandboxProcess.StartAsync(data.FullName);
        var received = await receiver.UntilAsync(all => all.Count > refused, "the webhook arrived again");
        Assert.Single(received.Select(one => one.Id).Distinct());
    }

    [Fact]
    public async Task Restart_KeepsFilesModelsVersionsAndWeights()
    {
        using var data = new TempDirectory();
        string id;
        string file;
        byte[] weights;
        byte[] zip = Zips.Photos(4);
        await using (var sandbox = await SandboxProcess.StartAsync(data.FullName))
        {
            id = await sandbox.Replicate.StartTrainingAsync(zip: zip);
            var training = await sandbox.Replicate.EndAsync(id);
            weights = (await sandbox.Replicate.GetAsync(new Uri((string)training["output"]!["weights"]!).AbsolutePath)).Bytes;
            file = (string)(await sandbox.Replicate.InvoiceAsync())["runs"]![0]!["input_files"]![0]!;
            await sandbox.KillAsync();
        }

        await using var again = await SandboxProcess.StartAsync(data.FullName);
        var later = await again.Replicate.TrainingAsync(id);
        string url = (string)later["output"]!["weights"]!;
        Assert.StartsWith(again.Replicate.Origin, url, StringComparison.Ordinal);
        Assert.Equal(weights, (await again.Replicate.GetAsync(url, token: null)).Bytes);
        Assert.Equal(zip.Length, (int)(await again.Replicate.GetAsync($"/v1/files/{file}"))["size"]!);
        Assert.Equal((string?)later["output"]!["version"], "sandbox-user/anna:" + (await again.Replicate.GetAsync("/v1/models/sandbox-user/anna"))["latest_version"]!["id"]);
        Assert.Equal(201, (await again.Replicate.TrainAsync(new JsonObject { ["input_images"] = $"{again.Replicate.Origin}/v1/files/{file}" })).Status);
        Assert.Equal([2, 1], (await again.Replicate.InvoiceAsync())["runs"]!.AsArray().Select(run => (int)run!["number"]!).OrderDescending());
    }

    [Fact]
    public async Task HalfALine_AtTheEndOfAJournal_IsDropped()
    {
        using var data = new TempDirectory();
        await using (var sandbox = await SandboxProcess.StartAsync(data.FullName))
        {
            await sandbox.Replicate.CreateModelAsync();
            await sandbox.KillAsync();
        }

        await File.AppendAllTextAsync(Path.Combine(data.FullName, "replicate", "journal.jsonl"), "{\"set\":\"model\",\"id\":\"sandbox-user/anna\",\"value\":nul");
        await File.AppendAllTextAsync(Path.Combine(data.FullName, "invoice.jsonl"), "{\"event\":\"acc");

        await using var again = await SandboxProcess.StartAsync(data.FullName);
        Assert.Equal(200, (await again.Replicate.GetAsync("/v1/models/sandbox-user/anna")).Status);
        Assert.Equal(201, (await again.Replicate.CreateModelAsync("second")).Status);
        Assert.Equal(0, (int)(await again.Replicate.InvoiceAsync())["count"]!);
    }

    [Fact]
    public async Task Kill_BetweenJournalAndInvoice_CountsTheRunAllTheSame()
    {
        using var data = new TempDirectory();
        string id;
        await using (var sandbox = await SandboxProcess.StartAsync(data.FullName))
        {
            id = await sandbox.Replicate.StartTrainingAsync();
            await sandbox.Replicate.EndAsync(id);
            await sandbox.KillAsync();
        }

        await File.WriteAllTextAsync(Path.Combine(data.FullName, "invoice.jsonl"), "");

        await using var again = await SandboxProcess.StartAsync(data.FullName);
        var run = Assert.Single((await again.Replicate.InvoiceAsync())["runs"]!.AsArray())!;
        Assert.Equal((id, "succeeded"), ((string?)run["id"], (string?)run["status"]));
    }

    private static JsonObject Hold(string when) => new()
    {
        ["method"] = "POST",
        ["path"] = "/v1/models/*/*/versions/*/trainings",
        ["action"] = new JsonObject { ["kind"] = "hold", ["when"] = when },
    };
}
