using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Flurrty.TrainingService.Webhooks;
using Npgsql;

namespace Flurrty.TrainingService.Tests.Service;

/// <summary>A webhook only makes a look come sooner, and only a genuine one does.</summary>
[Collection(ServiceTests.Name)]
public sealed class WebhookTests(TrainingFixture fixture)
{
    [Theory]
    [InlineData("duplicate")]
    [InlineData("out-of-order")]
    [InlineData("rotate-secret")]
    public async Task Webhook_OddButGenuine_BringsTheLook(string kind)
    {
        await fixture.StopSharedAsync();
        await using var service = await fixture.StartServiceAsync(("Driving:LookSoon", "00:05:00"));
        fixture.Surroundings.WebhookTarget = service.Address;
        await fixture.Admin.AddFaultAsync(new { on = "webhook", count = 1, @event = "completed", action = new { kind } });

        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("succeeded", row.GetProperty("state").GetString());
    }

    [Fact]
    public async Task Webhook_DeliveredTwice_IsNotedOnce()
    {
        await fixture.StopSharedAsync();
        await using var service = await fixture.StartServiceAsync();
        fixture.Surroundings.WebhookTarget = service.Address;
        var deliveries = new ConcurrentQueue<(string? Run, string Id)>();
        fixture.Surroundings.ChangeWebhook = async request =>
        {
            var body = JsonDocument.Parse(await request.Content!.ReadAsByteArrayAsync()).RootElement;
            deliveries.Enqueue((body.GetProperty("id").GetString(), request.Headers.GetValues("webhook-id").Single()));
        };
        await fixture.Admin.AddFaultAsync(new { on = "webhook", count = 1, @event = "completed", action = new { kind = "duplicate" } });

        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");
        var attemptId = row.GetProperty("attempts")[0].GetProperty("id").GetGuid();
        var runId = row.GetProperty("attempts")[0].GetProperty("run_id").GetString();
        string[] Ids() => [.. deliveries.Where(delivery => delivery.Run == runId).Select(static delivery => delivery.Id)];
        await WaitUntilAsync(() => Ids().Length > Ids().Distinct(StringComparer.Ordinal).Count(), () => string.Join(", ", Ids()));

        await using var source = NpgsqlDataSource.Create(fixture.SuperuserConnection);
        await using var command = source.CreateCommand("SELECT count(*) FROM webhook_events WHERE attempt_id = $1");
        command.Parameters.Add(new NpgsqlParameter { Value = attemptId });
        Assert.Equal((long)Ids().Distinct(StringComparer.Ordinal).Count(), await command.ExecuteScalarAsync());
    }

    [Theory]
    [InlineData("bad-signature", HttpStatusCode.Unauthorized)]
    [InlineData("old-timestamp", HttpStatusCode.Unauthorized)]
    public async Task Webhook_NotGenuine_IsRefusedAndTheJobEndsByLooking(string kind, HttpStatusCode status)
    {
        var service = await fixture.SharedServiceAsync();
        fixture.Surroundings.Webhooks.Clear();
        await fixture.Admin.AddFaultAsync(new { on = "webhook", count = 0, action = new { kind, seconds = 600 } });

        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("succeeded", row.GetProperty("state").GetString());
        await WaitUntilAsync(() => !fixture.Surroundings.Webhooks.IsEmpty, () => "no delivery");
        Assert.All(fixture.Surroundings.Webhooks, webhook => Assert.Equal(status, webhook.Status));
    }

    [Fact]
    public async Task Webhook_ForUnknownToken_IsNotFound_AndWithoutTicketUnauthorized()
    {
        await fixture.SharedServiceAsync();
        using var client = new HttpClient();
        var path = $"/webhooks/replicate/{WebhookToken.Create().Text}";

        using var passedOn = await client.PostAsync(new Uri(fixture.Surroundings.Address, path), new StringContent("{}"));
        using var direct = await client.PostAsync(new Uri(fixture.Surroundings.WebhookTarget!, path), new StringContent("{}"));

        Assert.Equal(HttpStatusCode.NotFound, passedOn.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, direct.StatusCode);
    }

    private static async Task WaitUntilAsync(Func<bool> condition, Func<string> state) => await Deadline.WaitAsync(
        "the condition is met", () => Task.FromResult((Met: condition(), Seen: state())), static look => look.Met);
}
