using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Flurrty.Sandbox.Tests.Support;

namespace Flurrty.Sandbox.Tests;

public sealed class WebhookTests
{
    [Fact]
    public async Task Webhook_OfATraining_IsSignedAndHoldsTheTraining()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await using var receiver = await WebhookReceiver.StartAsync();
        string id = await sandbox.Replicate.StartTrainingAsync(new JsonObject { ["webhook"] = receiver.Url });
        await sandbox.Replicate.EndAsync(id);

        var received = (await receiver.UntilAsync(all => all.Any(one => one.Status == "succeeded"), "the completed webhook arrived"))[^1];

        Assert.Equal("/hooks/secret", received.Path);
        Assert.Matches("^msg_[0-9A-Za-z]{27}$", received.Id);
        Assert.Equal(Signature(await SecretAsync(sandbox), received), received.Signature);
        Assert.InRange(DateTimeOffset.FromUnixTimeSeconds(long.Parse(received.Timestamp)), TimeProvider.System.GetUtcNow().AddMinutes(-1), TimeProvider.System.GetUtcNow().AddMinutes(1));
        Assert.Equal((await sandbox.Replicate.GetAsync($"/v1/trainings/{id}")).Text, received.Body);
    }

    [Fact]
    public async Task Webhooks_ByDefault_AreThoseForOutputAndTheEnd()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await using var receiver = await WebhookReceiver.StartAsync();
        string id = await sandbox.Replicate.StartTrainingAsync(new JsonObject { ["webhook"] = receiver.Url });
        await sandbox.Replicate.EndAsync(id);

        await Eventually.HoldsAsync(() => StateAsync(sandbox, id), training => (bool)training["completed_delivered"]!, "the webhook was taken");

        Assert.Equal(["output", "completed"], await SentAsync(sandbox, id));
        Assert.NotNull(receiver.Received.First(one => one.Status == "processing").Json["output"]!["weights"]);
    }

    [Fact]
    public async Task Webhooks_WithAFilter_AreThoseThatWereAskedFor()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:SecondsPerTraining=2.5");
        await using var receiver = await WebhookReceiver.StartAsync();
        string id = await sandbox.Replicate.StartTrainingAsync(new JsonObject { ["webhook"] = receiver.Url, ["webhook_events_filter"] = new JsonArray("start", "logs", "completed") });
        await sandbox.Replicate.EndAsync(id);

        await Eventually.HoldsAsync(() => StateAsync(sandbox, id), training => (bool)training["completed_delivered"]!, "the webhook was taken");

        var sent = await SentAsync(sandbox, id);
        Assert.Equal("start", sent[0]);
        Assert.Equal("completed", sent[^1]);
        Assert.All(sent[1..^1], one => Assert.Equal("logs", one));
        Assert.InRange(sent.Count, 3, 7);

        var logs = (await AttemptsAsync(sandbox, id)).Where(attempt => (string?)attempt["event"] == "logs").Select(attempt => DateTimeOffset.Parse((string)attempt["due_at"]!)).Order().ToList();
        Assert.All(logs.Zip(logs.Skip(1)), pair => Assert.True(pair.Second - pair.First > TimeSpan.FromMilliseconds(490), $"{pair.Second - pair.First} apart"));
    }

    [Fact]
    public async Task Webhook_OfACanceledTraining_IsSent()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:SecondsPerTraining=60");
        await using var receiver = await WebhookReceiver.StartAsync();
        string id = await sandbox.Replicate.StartTrainingAsync(new JsonObject { ["webhook"] = receiver.Url });

        await sandbox.Replicate.PostAsync($"/v1/trainings/{id}/cancel");

        var received = await receiver.UntilAsync(all => all.Count == 1, "the webhook arrived");
        Assert.Equal("canceled", received[0].Status);
    }

    [Theory]
    [InlineData(500)]
    [InlineData(404)]
    [InlineData(302)]
    public async Task Webhook_ThatIsNotTaken_IsSentAgainUnderTheSameId(int status)
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await using var receiver = await WebhookReceiver.StartAsync(number => number <= 2 ? status : 200);
        string id = await sandbox.Replicate.StartTrainingAsync(new JsonObject { ["webhook"] = receiver.Url, ["webhook_events_filter"] = new JsonArray("completed") });
        await sandbox.Replicate.EndAsync(id);

        await Eventually.HoldsAsync(() => StateAsync(sandbox, id), training => (bool)training["completed_delivered"]!, "the webhook was taken");

        Assert.Equal(3, receiver.Received.Count);
        Assert.Single(receiver.Received.Select(one => one.Id).Distinct());
        Assert.All(receiver.Received, one => Assert.Equal("/hooks/secret", one.Path));
    }

    [Fact]
    public async Task Webhook_ThatNobodyTakes_IsGivenUp()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:Replicate:WebhookAttempts=3");
        await using var receiver = await WebhookReceiver.StartAsync(_ => 503);
        string id = await sandbox.Replicate.StartTrainingAsync(new JsonObject { ["webhook"] = receiver.Url, ["webhook_events_filter"] = new JsonArray("completed") });

        await Eventually.HoldsAsync(() => StateAsync(sandbox, id), training => (bool)training["completed_delivered"]!, "the webhook was given up");

        Assert.Equal(3, receiver.Received.Count);
        Assert.Equal("succeeded", (string?)(await sandbox.Replicate.TrainingAsync(id))["status"]);
    }

    [Fact]
    public async Task Duplicate_OfAWebhook_HasTheSameId()
    {
        var (received, _) = await WithFaultAsync(new JsonObject { ["kind"] = "duplicate" }, all => all.Count == 2);

        Assert.Equal(received[0].Id, received[1].Id);
        Assert.Equal(received[0].Body, received[1].Body);
    }

    [Fact]
    public async Task BadSignature_OfAWebhook_DoesNotVerify()
    {
        var (received, secret) = await WithFaultAsync(new JsonObject { ["kind"] = "bad-signature" }, all => all.Count == 1);

        Assert.StartsWith("v1,", received[0].Signature, StringComparison.Ordinal);
        Assert.NotEqual(Signature(secret, received[0]), received[0].Signature);
    }

    [Fact]
    public async Task OldTimestamp_OfAWebhook_IsSigned()
    {
        var (received, secret) = await WithFaultAsync(new JsonObject { ["kind"] = "old-timestamp", ["seconds"] = 3600 }, all => all.Count == 1);

        Assert.Equal(Signature(secret, received[0]), received[0].Signature);
        Assert.True(DateTimeOffset.FromUnixTimeSeconds(long.Parse(received[0].Timestamp)) < TimeProvider.System.GetUtcNow().AddMinutes(-55));
    }

    [Fact]
    public async Task RotatedSecret_SignsTheWebhookThatRotatedIt()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await using var receiver = await WebhookReceiver.StartAsync();
        string before = await SecretAsync(sandbox);
        await sandbox.Replicate.FaultAsync(new JsonObject { ["on"] = "webhook", ["action"] = new JsonObject { ["kind"] = "rotate-secret" } });
        await sandbox.Replicate.StartTrainingAsync(new JsonObject { ["webhook"] = receiver.Url, ["webhook_events_filter"] = new JsonArray("completed") });

        var received = await receiver.UntilAsync(all => all.Count == 1, "the webhook arrived");

        string after = await SecretAsync(sandbox);
        Assert.NotEqual(before, after);
        Assert.Equal(Signature(after, received[0]), received[0].Signature);
    }

    [Fact]
    public async Task Never_KeepsTheWebhookBack()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await using var receiver = await WebhookReceiver.StartAsync();
        string fault = await sandbox.Replicate.FaultAsync(new JsonObject { ["on"] = "webhook", ["event"] = "completed", ["action"] = new JsonObject { ["kind"] = "never" } });
        string id = await sandbox.Replicate.StartTrainingAsync(new JsonObject { ["webhook"] = receiver.Url, ["webhook_events_filter"] = new JsonArray("start", "completed") });

        await Eventually.HoldsAsync(() => StateAsync(sandbox, id), training => (bool)training["completed_delivered"]!, "the webhook was dealt with");

        Assert.Equal(["start"], await SentAsync(sandbox, id));
        Assert.Equal(1, (int)(await sandbox.Replicate.FaultStateAsync(fault))["hits"]!);
    }

    [Fact]
    public async Task Late_DelaysTheWebhook()
    {
        var (received, _) = await WithFaultAsync(new JsonObject { ["kind"] = "late", ["seconds"] = 1.5 }, all => all.Count == 1);

        Assert.True(received[0].At - DateTimeOffset.Parse((string)received[0].Json["completed_at"]!) > TimeSpan.FromSeconds(1.2));
    }

    [Fact]
    public async Task OutOfOrder_BringsTheStartAfterTheEnd()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await using var receiver = await WebhookReceiver.StartAsync();
        await sandbox.Replicate.FaultAsync(new JsonObject { ["on"] = "webhook", ["event"] = "start", ["action"] = new JsonObject { ["kind"] = "out-of-order" } });
        await sandbox.Replicate.StartTrainingAsync(new JsonObject { ["webhook"] = receiver.Url, ["webhook_events_filter"] = new JsonArray("start", "completed") });

        var received = await receiver.UntilAsync(all => all.Count == 2, "both webhooks arrived");

        Assert.Equal(["succeeded", "processing"], received.Select(one => one.Status));
    }

    [Fact]
    public async Task OutOfOrder_AtTheEnd_IsFollowedByAStaleUpdate()
    {
        var (received, secret) = await WithFaultAsync(new JsonObject { ["kind"] = "out-of-order" }, all => all.Count == 2);

        Assert.Equal(["succeeded", "processing"], received.Select(one => one.Status));
        Assert.Equal(Signature(secret, received[1]), received[1].Signature);
    }

    private static async Task<(IReadOnlyList<ReceivedWebhook> Received, string Secret)> WithFaultAsync(JsonObject action, Predicate<IReadOnlyList<ReceivedWebhook>> until)
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await using var receiver = await WebhookReceiver.StartAsync();
        await sandbox.Replicate.FaultAsync(new JsonObject { ["on"] = "webhook", ["event"] = "completed", ["destination"] = "sandbox-user/*", ["action"] = action });
        string id = await sandbox.Replicate.StartTrainingAsync(new JsonObject { ["webhook"] = receiver.Url, ["webhook_events_filter"] = new JsonArray("completed") });
        var received = await receiver.UntilAsync(until, "the webhooks arrived");
        await Eventually.HoldsAsync(() => StateAsync(sandbox, id), training => (bool)training["completed_delivered"]!, "the webhook was taken");
        Assert.Equal(received.Count, receiver.Received.Count);
        return (received, await SecretAsync(sandbox));
    }

    private static string Signature(string secret, ReceivedWebhook received)
    {
        Assert.StartsWith("whsec_", secret, StringComparison.Ordinal);
        byte[] text = Encoding.UTF8.GetBytes($"{received.Id}.{received.Timestamp}.{received.Body}");
        return "v1," + Convert.ToBase64String(HMACSHA256.HashData(Convert.FromBase64String(secret[6..]), text));
    }

    private static async Task<string> SecretAsync(RunningSandbox sandbox) => (string)(await sandbox.Replicate.GetAsync("/v1/webhooks/default/secret"))["key"]!;

    private static async Task<List<JsonNode>> AttemptsAsync(RunningSandbox sandbox, string id) =>
        [.. (await sandbox.Replicate.GetAsync($"/admin/replicate/webhooks?run={id}", token: null))["attempts"]!.AsArray().Select(attempt => attempt!)];

    private static async Task<List<string>> SentAsync(RunningSandbox sandbox, string id) =>
        [.. (await AttemptsAsync(sandbox, id)).OrderBy(attempt => (string)attempt["due_at"]!, StringComparer.Ordinal).Select(attempt => (string)attempt["event"]!)];

    private static async Task<JsonNode> StateAsync(RunningSandbox sandbox, string id) =>
        (await sandbox.Replicate.GetAsync("/admin/state", token: null))["trainings"]!.AsArray().First(training => (string?)training!["id"] == id)!;
}
