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
        // The provider still tells of other jobs, which may have another token by now.
        var hash = row.GetProperty("attempts")[0].GetProperty("webhook_token_hash").GetString();
        HttpStatusCode[] Statuses() => [.. fixture.Surroundings.Webhooks
            .Where(webhook => "\\x" + Convert.ToHexStringLower(WebhookToken.Parse(webhook.Path.Split('/')[^1])!.Hash) == hash)
            .Select(static webhook => webhook.Status)];
        await WaitUntilAsync(() => Statuses().Length > 0, () => $"{fixture.Surroundings.Webhooks.Count} deliveries, none of the job's");
        Assert.All(Statuses(), seen => Assert.Equal(status, seen));
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

    [Fact]
    public async Task Webhook_WhileOthersSendSlowly_IsReceivedAtOnce()
    {
        await fixture.StopSharedAsync();
        await using var service = await fixture.StartServiceAsync();
        fixture.Surroundings.WebhookTarget = null;
        await fixture.Admin.SetSpeedAsync(600);
        var jobs = new[] { await fixture.TrainAsync(), await fixture.TrainAsync() };
        string[] paths = [await PathOfAsync(jobs[0].JobId, service), await PathOfAsync(jobs[1].JobId, service)];
        await fixture.Admin.SetSpeedAsync(1);

        var slow = Enumerable.Range(0, 10).Select(_ => fixture.PostSlowWebhookAsync(service, paths[0])).ToArray();
        string States() => string.Join(", ", slow.Select(static body => body.IsCompletedSuccessfully ? $"{body.Result}" : $"{body.Status}"));
        await WaitUntilAsync(() => slow.Count(static body => body.IsCompleted) >= 8, States);

        // Not signed, so it is refused; what counts is that its body was read.
        Assert.Equal(HttpStatusCode.BadRequest, await fixture.PostWebhookAsync(service, paths[1], new StringContent("{}")));

        // The others end by the receiver's deadline, not by their sender.
        await WaitUntilAsync(() => slow.All(static body => body.IsCompleted), States);
        Assert.True(slow.Count(static body => body.Result == HttpStatusCode.TooManyRequests) == 8 && slow.Count(static body => body.Result == HttpStatusCode.RequestTimeout) == 2, States());
        foreach (var job in jobs)
        {
            await fixture.CancelAsync(job);
            await fixture.WaitForAsync(job.JobId, service, "canceled");
        }
    }

    // Only the provider knows the token that a job gave it, so the job gets another.
    private async Task<string> PathOfAsync(Guid jobId, ChildProcess service)
    {
        await fixture.WaitForAsync(jobId, service, "queued", "training");
        var token = WebhookToken.Create();
        await using var source = NpgsqlDataSource.Create(fixture.SuperuserConnection);
        await using var command = source.CreateCommand("UPDATE attempts SET webhook_token_hash = $1 WHERE job_id = $2");
        command.Parameters.Add(new NpgsqlParameter { Value = token.Hash });
        command.Parameters.Add(new NpgsqlParameter { Value = jobId });
        Assert.Equal(1, await command.ExecuteNonQueryAsync());
        return $"/webhooks/replicate/{token.Text}";
    }

    private static async Task WaitUntilAsync(Func<bool> condition, Func<string> state) => await Deadline.WaitAsync(
        "the condition is met", () => Task.FromResult((Met: condition(), Seen: state())), static look => look.Met);
}
