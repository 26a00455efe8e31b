using System.Text.Json.Nodes;
using Flurrty.Sandbox.Tests.Support;

namespace Flurrty.Sandbox.Tests;

public sealed class InvoiceTests
{
    [Fact]
    public async Task SamePost_Twice_IsTwoBillableRuns()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        var replicate = sandbox.Replicate;
        await replicate.CreateModelAsync();
        var file = await replicate.UploadAsync(Zips.Photos(3));
        var input = new JsonObject { ["input_images"] = file["urls"]!["get"]!.DeepClone() };

        var first = await replicate.TrainAsync(input);
        var second = await replicate.TrainAsync(input);
        await replicate.EndAsync((string)first["id"]!);
        await replicate.EndAsync((string)second["id"]!);

        var invoice = await replicate.InvoiceAsync();
        Assert.Equal(2, (int)invoice["count"]!);
        Assert.Equal([(string?)first["id"], (string?)second["id"]], invoice["runs"]!.AsArray().Select(run => (string?)run!["id"]));
        Assert.All(invoice["runs"]!.AsArray(), run =>
        {
            Assert.Equal((string?)file["id"], (string?)run!["input_files"]![0]);
            Assert.Equal("succeeded", (string?)run["status"]);
            Assert.True((double)run["billed_seconds"]! > 0);
        });
    }

    [Fact]
    public async Task Line_OfTheInvoice_IsOnDiskBeforeTheAnswer()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:SecondsPerTraining=60");

        string id = await sandbox.Replicate.StartTrainingAsync();

        var lines = File.ReadAllLines(Path.Combine(sandbox.DataDirectory, "invoice.jsonl"));
        Assert.Contains(id, Assert.Single(lines), StringComparison.Ordinal);
        Assert.Equal("accepted", (string?)(await sandbox.Replicate.InvoiceAsync())["runs"]![0]!["status"]);
    }

    [Fact]
    public async Task Credit_IsUsedUpByRuns()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        var replicate = sandbox.Replicate;
        await replicate.SendAsync(HttpMethod.Patch, "/admin/replicate/accounts/sandbox-user", new JsonObject { ["credit"] = 0.0001 }, token: null);

        await replicate.EndAsync(await replicate.StartTrainingAsync());
        var refused = await replicate.TrainAsync(new JsonObject { ["input_images"] = "https://example.com/photos.zip" });

        Assert.Equal(402, refused.Status);
        Assert.StartsWith("You have insufficient credit to run this model. Go to https://replicate.com/account/billing#billing", (string)refused["detail"]!, StringComparison.Ordinal);
        var invoice = await replicate.InvoiceAsync();
        Assert.Equal((double)invoice["billed_seconds"]! * 0.001525, (double)invoice["cost_usd"]!, 9);
    }

    [Fact]
    public async Task Invoice_CanBeAskedForOneDestination()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:SecondsPerTraining=60");
        await sandbox.Replicate.StartTrainingAsync();
        await sandbox.Replicate.CreateModelAsync("ben");
        await sandbox.Replicate.TrainAsync(new JsonObject { ["input_images"] = "https://example.com/photos.zip" }, destination: "sandbox-user/ben");

        var one = await sandbox.Replicate.GetAsync("/admin/invoice?destination=sandbox-user/ben", token: null);

        Assert.Equal(1, (int)one["count"]!);
        Assert.Equal(2, (int)one["runs"]![0]!["number"]!);
    }
}
