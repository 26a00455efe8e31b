using System.Text.Json;

namespace Flurrty.TrainingService.Tests.Service;

/// <summary>A run that may have been paid for is never given up for what may pass, never bought again, and what is told about money is true.</summary>
[Collection(ServiceTests.Name)]
public sealed class PaidRunTests(TrainingFixture fixture)
{
    private const string PostPath = "/v1/models/ostris/flux-dev-lora-trainer/versions/*/trainings";
    private const string RunPath = "/v1/trainings/*";
    private const string ListPath = "/v1/trainings";
    private const string ArtifactPath = "/delivery/**";

    [Fact]
    public async Task Looks_BusyManyTimesAndThenUnknownOnce_FollowTheRunAllTheSame()
    {
        await fixture.StopSharedAsync();
        await using var service = await fixture.StartServiceAsync(("Replicate:Tries", "1"));
        await WithoutWebhooksAsync();
        var busy = await AnswerAsync("GET", RunPath, 503, count: 8);
        var unknown = await AnswerAsync("GET", RunPath, 404);

        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("succeeded", row.GetProperty("state").GetString());
        Assert.Equal(8, await HitsAsync(busy));
        Assert.Equal(1, await HitsAsync(unknown));
        Assert.Single(await fixture.Admin.RunsAsync(job.AccountId));
    }

    [Fact]
    public async Task Looks_ThatKeepFindingNothing_DoNotEndARunThatTheListHas()
    {
        await fixture.StopSharedAsync();
        await using var service = await fixture.StartServiceAsync(("Replicate:Tries", "1"));
        await WithoutWebhooksAsync();
        var unknown = await AnswerAsync("GET", RunPath, 404, count: 0);
        await fixture.Admin.SetSpeedAsync(3600);
        try
        {
            var job = await fixture.TrainAsync();
            // Many more than those after which a run that the list does not have either is believed to be gone.
            await Deadline.WaitAsync("the run was not found many times", () => HitsAsync(unknown), static hits => hits >= 12);
            await fixture.Admin.FinishAsync(Assert.Single(await fixture.Admin.RunsAsync(job.AccountId)).GetProperty("id").GetString()!);
            await fixture.Admin.ClearFaultsAsync();
            var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

            Assert.Equal("succeeded", row.GetProperty("state").GetString());
            Assert.Single(row.GetProperty("attempts").EnumerateArray());
        }
        finally
        {
            await fixture.Admin.SetSpeedAsync(1);
        }
    }

    [Theory]
    [InlineData(401, "credentials_refused")]
    [InlineData(402, "payment_required")]
    [InlineData(403, "credentials_refused")]
    public async Task Submission_Refused_WaitsAndGoesOnWhenItIsMended(int status, string reason)
    {
        await fixture.StopSharedAsync();
        await using var service = await fixture.StartServiceAsync(("Driving:AccessPause", "00:00:00.2"));
        await AnswerAsync("POST", PostPath, status, count: 0);

        var job = await fixture.TrainAsync();
        var waiting = await WaitForWaitingAsync(job.JobId, service);

        Assert.Equal(reason, waiting.GetProperty("waiting_reason").GetString());
        Assert.True(waiting.GetProperty("waiting_until").GetDateTimeOffset() > waiting.GetProperty("waiting_since").GetDateTimeOffset());
        var shown = await fixture.GetJsonAsync(service, $"/api/trainings/{job.JobId}", job.AccountId);
        Assert.Equal(reason, shown.GetProperty("waiting_reason").GetString());
        Assert.Contains(await fixture.MessagesAsync(job.JobId), message => message.Type == "TrainingAdvanced" && message.Body.GetProperty("WaitingReason").GetString() == reason);
        Assert.Empty(await fixture.Admin.RunsAsync(job.AccountId));
        await Deadline.WaitAsync("it was tried more than once", () => fixture.JobAsync(job.JobId), static row => row.GetProperty("attempts")[0].GetProperty("posts").GetInt32() > 2);
        // One warning for all of the waiting, however often it is tried.
        Assert.Single(service.Output.Split('\n'), line => line.Contains($"waits at replicate for {reason} until", StringComparison.Ordinal));

        await fixture.Admin.ClearFaultsAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");
        Assert.Equal("succeeded", row.GetProperty("state").GetString());
        Assert.Equal(JsonValueKind.Null, row.GetProperty("waiting_reason").ValueKind);
        Assert.Single(row.GetProperty("attempts").EnumerateArray());
        Assert.Single(await fixture.Admin.RunsAsync(job.AccountId));
    }

    [Theory]
    [InlineData(401, "provider_credentials_refused", "authentication")]
    [InlineData(402, "provider_payment_required", "payment")]
    public async Task Submission_RefusedUntilTheDeadline_FailsWithoutARun(int status, string code, string category)
    {
        await fixture.StopSharedAsync();
        await using var service = await fixture.StartServiceAsync(("Driving:AccessPause", "00:00:00.2"), ("Driving:AccessTimeout", "00:00:01"));
        await AnswerAsync("POST", PostPath, status, count: 0);

        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal(code, row.GetProperty("failure_code").GetString());
        Assert.Equal(category, row.GetProperty("failure_category").GetString());
        Assert.Equal("not_run", Assert.Single(row.GetProperty("attempts").EnumerateArray()).GetProperty("state").GetString());
        Assert.Empty(await fixture.Admin.RunsAsync(job.AccountId));
    }

    [Theory]
    [InlineData(401)]
    [InlineData(402)]
    [InlineData(403)]
    public async Task Looks_Refused_WaitLongerThanAnyPhaseMayTakeAndFollowTheSameRun(int status)
    {
        var phase = TimeSpan.FromSeconds(15);
        await fixture.StopSharedAsync();
        await using var service = await fixture.StartServiceAsync(
            ("Driving:AccessPause", "00:00:00.2"), ("Driving:QueueTimeout", $"{phase:c}"), ("Driving:RunTimeout", $"{phase:c}"), ("Driving:StopTimeout", "00:00:01"));
        await WithoutWebhooksAsync();
        await AnswerAsync("GET", RunPath, status, count: 0);
        var job = await fixture.TrainAsync();
        var waiting = await WaitForWaitingAsync(job.JobId, service);
        var since = waiting.GetProperty("state_since").GetDateTimeOffset();
        await Deadline.WaitAsync(
            "it has waited longer than a phase may take",
            () => fixture.JobAsync(job.JobId),
            row => row.GetProperty("state").GetString() == "failed" || row.GetProperty("updated_at").GetDateTimeOffset() - since > phase + TimeSpan.FromSeconds(2));

        await fixture.Admin.ClearFaultsAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("succeeded", row.GetProperty("state").GetString());
        Assert.Single(row.GetProperty("attempts").EnumerateArray());
        Assert.Single(await fixture.Admin.RunsAsync(job.AccountId));
    }

    [Fact]
    public async Task Looks_RefusedUntilTheDeadline_SayThatARunIsThereAndARetryFollowsIt()
    {
        await fixture.StopSharedAsync();
        await using var service = await fixture.StartServiceAsync(("Driving:AccessPause", "00:00:00.2"), ("Driving:AccessTimeout", "00:00:01"));
        await WithoutWebhooksAsync();
        await AnswerAsync("GET", RunPath, 401, count: 0);
        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");
        Assert.Equal("provider_access_lost", row.GetProperty("failure_code").GetString());
        Assert.True(row.GetProperty("failure_retryable").GetBoolean());

        await fixture.Admin.ClearFaultsAsync();
        await fixture.RetryAsync(job);
        row = await fixture.WaitForAsync(job.JobId, service, "succeeded");

        Assert.Single(row.GetProperty("attempts").EnumerateArray());
        Assert.Single(await fixture.Admin.RunsAsync(job.AccountId));
    }

    [Theory]
    [InlineData(401)]
    [InlineData(402)]
    [InlineData(403)]
    [InlineData(404)]
    public async Task Collecting_RefusedAFewTimes_FetchesTheModelOfTheSameRun(int status)
    {
        await fixture.StopSharedAsync();
        await using var service = await fixture.StartServiceAsync(("Driving:AccessPause", "00:00:00.2"), ("Replicate:Tries", "1"));
        // First at the artifact, which holds the job in this phase; then at the run too.
        await AnswerAsync("GET", ArtifactPath, status, count: 0);
        var job = await fixture.TrainAsync();
        await fixture.WaitForAsync(job.JobId, service, "collecting", "failed");
        await Deadline.WaitAsync("the artifact was refused a few times", () => fixture.JobAsync(job.JobId), static row => row.GetProperty("failures").GetInt32() > 2);
        var run = await AnswerAsync("GET", RunPath, status, count: 2);
        await Deadline.WaitAsync("the run was refused twice", () => HitsAsync(run), static hits => hits == 2);

        await fixture.Admin.ClearFaultsAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("succeeded", row.GetProperty("state").GetString());
        Assert.Single(row.GetProperty("attempts").EnumerateArray());
        Assert.Single(await fixture.Admin.RunsAsync(job.AccountId));
    }

    [Fact]
    public async Task Retry_OfAJobWhoseRunSucceeded_FetchesItsModelAndBuysNothing()
    {
        await fixture.StopSharedAsync();
        await using var service = await fixture.StartServiceAsync(("Driving:CollectTimeout", "00:00:01"));
        await AnswerAsync("GET", ArtifactPath, 503, count: 0);
        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");
        Assert.Equal("model_download_failed", row.GetProperty("failure_code").GetString());
        await fixture.WaitForIdleAsync(job.JobId);

        await fixture.Admin.ClearFaultsAsync();
        await fixture.RetryAsync(job);
        row = await fixture.WaitForAsync(job.JobId, service, "succeeded");

        Assert.Single(row.GetProperty("attempts").EnumerateArray());
        Assert.Single(await fixture.Admin.RunsAsync(job.AccountId));
    }

    [Fact]
    public async Task Retry_OfAJobWhoseModelIsDamaged_TrainsAgain()
    {
        var service = await fixture.SharedServiceAsync();
        var account = Guid.CreateVersion7();
        var damaged = await fixture.Admin.AddFaultAsync(new
        {
            on = "training",
            destination = SandboxAdmin.DestinationOf(account),
            count = 0,
            action = new { kind = "quirks", quirks = new { archive = "truncated" } },
        });
        var job = await fixture.TrainAsync(account);
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");
        Assert.Equal("model_invalid", row.GetProperty("failure_code").GetString());
        Assert.Equal(1, await HitsAsync(damaged));
        await fixture.WaitForIdleAsync(job.JobId);

        await fixture.Admin.ClearFaultsAsync();
        await fixture.RetryAsync(job);
        row = await fixture.WaitForAsync(job.JobId, service, "succeeded");

        Assert.Equal(2, row.GetProperty("attempts").GetArrayLength());
    }

    [Fact]
    public async Task Submission_UnknownUntilTheProviderRemovedItsData_IsNeverCalledNotRun()
    {
        await fixture.StopSharedAsync();
        const string Owner = "sandbox-user-2";
        await using var service = await fixture.StartServiceAsync(
            ("Driving:ReviewTimeout", "00:00:15"), ("Replicate:Tries", "1"), ("Replicate:ApiToken", TrainingFixture.OtherToken));
        await fixture.Admin.AddFaultAsync(new { on = "request", method = "POST", path = PostPath, action = new { kind = "drop", when = "after" } });
        await AnswerAsync("GET", ListPath, 500, count: 0);
        var job = await fixture.TrainAsync();
        await fixture.WaitForAsync(job.JobId, service, "needs_review", "failed");
        var run = Assert.Single(await fixture.Admin.RunsAsync(job.AccountId, Owner)).GetProperty("id").GetString()!;
        await fixture.Admin.FinishAsync(run);
        await fixture.Admin.RemoveDataAsync(run);

        await fixture.Admin.ClearFaultsAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("unknown_run", row.GetProperty("failure_code").GetString());
        Assert.Equal("unknown", Assert.Single(row.GetProperty("attempts").EnumerateArray()).GetProperty("state").GetString());
        Assert.Single(await fixture.Admin.RunsAsync(job.AccountId, Owner));
    }

    private Task<JsonElement> WaitForWaitingAsync(Guid jobId, ChildProcess service) => Deadline.WaitAsync(
        $"the job waits for somebody; {service.Output}", () => fixture.JobAsync(jobId), static row => row.GetProperty("waiting_reason").ValueKind != JsonValueKind.Null);

    private Task<string> WithoutWebhooksAsync() => fixture.Admin.AddFaultAsync(new { on = "webhook", count = 0, action = new { kind = "never" } });

    private Task<string> AnswerAsync(string method, string path, int status, int count = 1) =>
        fixture.Admin.AddFaultAsync(new { on = "request", method, path, count, action = new { kind = "answer", status, body = new { detail = "planted" } } });

    private async Task<int> HitsAsync(string fault) => (await fixture.Admin.FaultAsync(fault)).GetProperty("hits").GetInt32();
}
