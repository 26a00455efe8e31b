using System.Net;
using Flurrty.Contracts.Training;
using Flurrty.ServiceDefaults.Tickets;
using Flurrty.TrainingService.Trainings;

namespace Flurrty.TrainingService.Tests.Service;

/// <summary>What the commands do, also when they come twice, late or out of order.</summary>
[Collection(ServiceTests.Name)]
public sealed class CommandTests(TrainingFixture fixture)
{
    [Fact]
    public async Task Cancel_WhileTheRunTrains_IsConfirmedByTheProvider()
    {
        var service = await fixture.SharedServiceAsync();
        var account = Guid.CreateVersion7();
        await fixture.Admin.AddFaultAsync(new { on = "training", destination = SandboxAdmin.DestinationOf(account), action = new { kind = "quirks", quirks = new { seconds = 300 } } });
        var job = await fixture.TrainAsync(account);
        await fixture.WaitForAsync(job.JobId, service, "training");

        await fixture.CancelAsync(job);
        var row = await fixture.WaitForAsync(job.JobId, service, "canceled", "succeeded", "failed");

        Assert.Equal("canceled", row.GetProperty("state").GetString());
        Assert.Equal("canceled", row.GetProperty("attempts")[0].GetProperty("state").GetString());
        Assert.Equal("canceled", Assert.Single(await fixture.Admin.RunsAsync(account)).GetProperty("status").GetString());
        Assert.Single(await fixture.MessagesAsync(job.JobId), static message => message.Type == "TrainingCanceled");
        Assert.Single(await fixture.MessagesAsync(job.JobId), static message => message.Type == "ReleaseDataset");
    }

    [Fact]
    public async Task Cancel_OvertakenBySuccess_KeepsTheModel()
    {
        var service = await fixture.SharedServiceAsync();
        var account = Guid.CreateVersion7();
        await fixture.Admin.AddFaultAsync(new { on = "training", destination = SandboxAdmin.DestinationOf(account), action = new { kind = "quirks", quirks = new { seconds = 300, cancel = "too-late" } } });
        var job = await fixture.TrainAsync(account);
        await fixture.WaitForAsync(job.JobId, service, "training");

        await fixture.CancelAsync(job);
        var row = await fixture.WaitForAsync(job.JobId, service, "canceled", "succeeded", "failed");

        Assert.Equal("succeeded", row.GetProperty("state").GetString());
    }

    [Fact]
    public async Task Cancel_BeforeTheDatasetIsThere_NeedsNoRun()
    {
        var service = await fixture.SharedServiceAsync();
        var jobId = Guid.CreateVersion7();
        fixture.Surroundings.DatasetAnswers[jobId] = 404;
        var job = await fixture.TrainAsync(jobId: jobId);
        await fixture.WaitForAsync(job.JobId, service, "preparing");

        await fixture.CancelAsync(job);
        await fixture.WaitForAsync(job.JobId, service, "canceled");

        Assert.Empty(await fixture.Admin.RunsAsync(job.AccountId));
    }

    [Fact]
    public async Task Cancel_OvertakingTheCommandToTrain_LeavesNothingToTrain()
    {
        await fixture.StopSharedAsync();
        var command = new TrainIdentity
        {
            AccountId = Guid.CreateVersion7(),
            CausedBy = Guid.NewGuid(),
            JobId = Guid.CreateVersion7(),
            Revision = 1,
            IdentityId = Guid.CreateVersion7(),
            Provider = "auto",
            Preset = "standard",
            Steps = 100,
            Rank = 4,
            Resolution = "512",
        };
        await fixture.CancelAsync(command);
        await fixture.ConsumeAsync<TrainIdentityConsumer, TrainIdentity>(command);

        Assert.Equal("canceled", (await fixture.JobAsync(command.JobId)).GetProperty("state").GetString());
        Assert.Equal(["TrainingCanceled", "TrainingCanceled"], (await fixture.MessagesAsync(command.JobId)).Select(static message => message.Type));
    }

    [Fact]
    public async Task Train_SentAgain_ReportsTheStateAndTheSameMessageNothing()
    {
        await fixture.StopSharedAsync();
        var job = await fixture.TrainAsync();
        var messageId = Guid.NewGuid();

        await fixture.ConsumeAsync<TrainIdentityConsumer, TrainIdentity>(job, messageId);
        await fixture.ConsumeAsync<TrainIdentityConsumer, TrainIdentity>(job, messageId);

        var messages = await fixture.MessagesAsync(job.JobId);
        Assert.Equal(["TrainingAdvanced", "TrainingAdvanced"], messages.Select(static message => message.Type));
        Assert.Equal(messages[0].Body.GetProperty("Revision").GetInt64(), messages[1].Body.GetProperty("Revision").GetInt64());
    }

    [Fact]
    public async Task Retry_OfAFailedJob_OpensTheNextAttemptOncePerRevision()
    {
        var service = await fixture.SharedServiceAsync();
        var account = Guid.CreateVersion7();
        await fixture.Admin.AddFaultAsync(new { on = "training", destination = SandboxAdmin.DestinationOf(account), action = new { kind = "quirks", quirks = new { fail = "CUDA out of memory" } } });
        var job = await fixture.TrainAsync(account);
        await fixture.WaitForAsync(job.JobId, service, "failed");

        await fixture.RetryAsync(job, revision: 7);
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded");
        await fixture.RetryAsync(job, revision: 7);

        Assert.Equal(["failed", "succeeded"], row.GetProperty("attempts").EnumerateArray().Select(static attempt => attempt.GetProperty("state").GetString()));
        Assert.Equal("succeeded", (await fixture.JobAsync(job.JobId)).GetProperty("state").GetString());
        Assert.Equal(2, (await fixture.Admin.RunsAsync(account)).Count);
    }

    [Fact]
    public async Task UnknownProvider_Fails()
    {
        var service = await fixture.SharedServiceAsync();
        var job = await fixture.TrainAsync(configure: static values => values["provider"] = "nobody");

        var row = await fixture.WaitForAsync(job.JobId, service, "failed");

        Assert.Equal("unknown_provider", row.GetProperty("failure_code").GetString());
    }

    [Fact]
    public async Task Trainings_OfAnotherAccount_AreNotFound()
    {
        var service = await fixture.SharedServiceAsync();
        var job = await fixture.TrainAsync();

        using var mine = await fixture.GetAsync(service, $"/api/trainings/{job.JobId}", job.AccountId);
        using var others = await fixture.GetAsync(service, $"/api/trainings/{job.JobId}", Guid.NewGuid());
        using var othersState = await fixture.GetAsync(service, $"/internal/trainings/{job.JobId}", Guid.NewGuid(), TicketKind.Service);
        using var othersModel = await fixture.GetAsync(service, $"/internal/models/{job.JobId}", Guid.NewGuid(), TicketKind.Service);
        using var asUser = await fixture.GetAsync(service, $"/internal/trainings/{job.JobId}", job.AccountId);

        Assert.Equal(HttpStatusCode.OK, mine.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, others.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, othersState.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, othersModel.StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, asUser.StatusCode);
    }

    [Fact]
    public async Task Trainings_Listed_ComeNewestFirstPageByPage()
    {
        var service = await fixture.SharedServiceAsync();
        var account = Guid.CreateVersion7();
        var jobs = new List<Guid>();
        for (var i = 0; i < 5; i++)
        {
            jobs.Add((await fixture.TrainAsync(account)).JobId);
        }

        var listed = new List<Guid>();
        string? next = string.Empty;
        while (next is not null)
        {
            var page = await fixture.GetJsonAsync(service, $"/api/trainings?limit=2{(next.Length > 0 ? $"&cursor={next}" : "")}", account);
            listed.AddRange(page.GetProperty("items").EnumerateArray().Select(static item => item.GetProperty("id").GetGuid()));
            next = page.GetProperty("next_cursor").GetString();
        }

        Assert.Equal(Enumerable.Reverse(jobs), listed);
        using var wrong = await fixture.GetAsync(service, "/api/trainings?cursor=nonsense", account);
        Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
    }
}
