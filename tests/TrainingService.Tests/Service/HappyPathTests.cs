using System.Security.Cryptography;
using Flurrty.ServiceDefaults.Tickets;

namespace Flurrty.TrainingService.Tests.Service;

[Collection(ServiceTests.Name)]
public sealed class HappyPathTests(TrainingFixture fixture)
{
    [Fact]
    public async Task Training_WithWebhooks_SucceedsWithOneRunAndAStoredModel()
    {
        await fixture.StopSharedAsync();
        await using var service = await fixture.StartServiceAsync(("Driving:LookSoon", "00:00:30"));
        fixture.Surroundings.WebhookTarget = service.Address;

        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("succeeded", row.GetProperty("state").GetString());
        var run = Assert.Single(await fixture.Admin.RunsAsync(job.AccountId));
        var attempt = Assert.Single(row.GetProperty("attempts").EnumerateArray());
        Assert.Equal(run.GetProperty("id").GetString(), attempt.GetProperty("run_id").GetString());
        Assert.Equal("succeeded", attempt.GetProperty("state").GetString());
        Assert.Equal(100, row.GetProperty("progress").GetInt32());
        Assert.Equal("training_did_nothing", row.GetProperty("model_warning").GetString());
        var model = fixture.Surroundings.Objects[row.GetProperty("model_key").GetString()!];
        Assert.Equal(row.GetProperty("model_bytes").GetInt64(), model.Length);
        Assert.Equal(row.GetProperty("model_sha256").GetString(), Convert.ToHexStringLower(SHA256.HashData(model)));

        // Without the webhook the first look would have come only after 30 s.
        Assert.Contains(fixture.Surroundings.Webhooks, static webhook => (int)webhook.Status == 204);
        Assert.DoesNotContain(fixture.Surroundings.Webhooks.Select(static webhook => webhook.Path.Split('/')[^1]), service.Output.Contains);
        var state = await fixture.Admin.StateAsync();
        Assert.DoesNotContain(state.GetProperty("files").EnumerateArray(), file => file.GetProperty("id").GetString() == attempt.GetProperty("input_id").GetString());
        var messages = await fixture.MessagesAsync(job.JobId);
        Assert.Equal("TrainingSucceeded", messages.Last(static message => message.Type.StartsWith("Training", StringComparison.Ordinal)).Type);
        Assert.Contains(messages, static message => message.Type == "BuildDataset");
        Assert.Single(messages, static message => message.Type == "ReleaseDataset");
        var revisions = messages.Where(static message => message.Type.StartsWith("Training", StringComparison.Ordinal))
            .Select(static message => message.Body.GetProperty("Revision").GetInt64()).ToArray();
        Assert.Equal(revisions.Distinct().Order(), revisions);

        var summary = await fixture.GetJsonAsync(service, $"/api/trainings/{job.JobId}", job.AccountId);
        Assert.Equal("succeeded", summary.GetProperty("state").GetString());
        // A run as short as this one may end before it was seen running.
        Assert.Equal(
            ["accepted", "preparing", "submitting", "queued", "collecting", "publishing", "succeeded"],
            summary.GetProperty("stages").EnumerateArray().Select(static stage => stage.GetProperty("stage").GetString()).Where(static stage => stage != "training"));
        var file = await fixture.GetJsonAsync(service, $"/internal/models/{job.JobId}", job.AccountId, TicketKind.Service);
        Assert.Equal(model.Length, file.GetProperty("bytes").GetInt64());
        var internalState = await fixture.GetJsonAsync(service, $"/internal/trainings/{job.JobId}", job.AccountId, TicketKind.Service);
        Assert.Equal(row.GetProperty("revision").GetInt64(), internalState.GetProperty("revision").GetInt64());
        Assert.Equal(row.GetProperty("model_sha256").GetString(), internalState.GetProperty("model").GetProperty("sha256").GetString());
    }
}
