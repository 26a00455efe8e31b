using System.Net;
using System.Text.Json.Nodes;
using Flurrty.Sandbox.Replicate;
using Flurrty.Sandbox.Tests.Support;

namespace Flurrty.Sandbox.Tests;

public sealed class StrictTests
{
    [Theory]
    [InlineData("http://example.com/hook")]
    [InlineData("https://127.0.0.1/hook")]
    [InlineData("https://localhost/hook")]
    [InlineData("https://gateway.localhost:8443/hook")]
    [InlineData("https://gateway/hook")]
    [InlineData("https://10.1.2.3/hook")]
    [InlineData("https://[::1]/hook")]
    [InlineData("https://[::ffff:192.168.1.1]/hook")]
    [InlineData("https://169.254.169.254/latest")]
    public async Task Webhook_ThatTheRealServiceCouldNotReach_IsRefused(string webhook)
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:Strict=true");
        await sandbox.Replicate.CreateModelAsync();

        var refused = await sandbox.Replicate.TrainAsync(new JsonObject { ["input_images"] = "https://example.com/x.zip" }, new JsonObject { ["webhook"] = webhook });

        Assert.Equal(422, refused.Status);
        Assert.Equal("Input validation failed", (string?)refused["title"]);
        Assert.Equal("webhook", (string?)refused["invalid_fields"]![0]!["field"]);
        Assert.Equal(0, (int)(await sandbox.Replicate.InvoiceAsync())["count"]!);
    }

    [Fact]
    public async Task File_OfTheSandboxItself_IsAllowed()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:Strict=true");

        var training = await sandbox.Replicate.EndAsync(await sandbox.Replicate.StartTrainingAsync());

        Assert.Equal("succeeded", (string?)training["status"]);
    }

    [Fact]
    public async Task Input_AtALocalAddress_FailsUnfetched()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:Strict=true");
        await using var web = await WebhookReceiver.StartAsync();
        await sandbox.Replicate.CreateModelAsync();

        var created = await sandbox.Replicate.TrainAsync(new JsonObject { ["input_images"] = web.Url });
        var training = await sandbox.Replicate.EndAsync((string)created["id"]!);

        Assert.Equal("Failed to download input_images: the URL must be an HTTPS URL", (string?)training["error"]);
        Assert.Empty(web.Received);
    }

    [Fact]
    public async Task DataUri_Over256Kilobytes_IsRefused()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:Strict=true");
        await sandbox.Replicate.CreateModelAsync();

        var refused = await sandbox.Replicate.TrainAsync(new JsonObject { ["input_images"] = "data:application/zip;base64," + new string('A', 300_000) });

        Assert.Equal(422, refused.Status);
    }

    [Fact]
    public async Task PublicUrl_IsWhatUrlsAreMadeOf()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:PublicUrl=https://sandbox.example.com/");
        var file = await sandbox.Replicate.UploadAsync(Zips.Photos(3));
        string url = (string)file["urls"]!["get"]!;
        Assert.StartsWith("https://sandbox.example.com/v1/files/", url, StringComparison.Ordinal);
        await sandbox.Replicate.CreateModelAsync();

        var created = await sandbox.Replicate.TrainAsync(new JsonObject { ["input_images"] = url });
        var training = await sandbox.Replicate.EndAsync((string)created["id"]!);

        Assert.StartsWith("https://sandbox.example.com/delivery/", (string)training["output"]!["weights"]!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("8.8.8.8", true)]
    [InlineData("2606:4700::1111", true)]
    [InlineData("172.15.0.1", true)]
    [InlineData("172.16.0.1", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("192.168.0.1", false)]
    [InlineData("192.0.2.1", false)]
    [InlineData("198.18.0.1", false)]
    [InlineData("203.0.113.7", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("0.0.0.0", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("fe80::1", false)]
    [InlineData("fd00::1", false)]
    [InlineData("2001:db8::1", false)]
    [InlineData("2002:7f00:1::", false)]
    [InlineData("::ffff:127.0.0.1", false)]
    public void Address_IsPublicOnlyIfTheInternetRoutesIt(string address, bool isPublic) => Assert.Equal(isPublic, OutboundHttp.IsPublic(IPAddress.Parse(address)));
}
