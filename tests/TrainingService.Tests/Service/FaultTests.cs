using System.Text.Json;
using Flurrty.TrainingService.Trainings;

namespace Flurrty.TrainingService.Tests.Service;

/// <summary>Whatever Replicate does, a job ends: with a model or with a code, and never with a run too many.</summary>
[Collection(ServiceTests.Name)]
public sealed class FaultTests(TrainingFixture fixture)
{
    private const string TrainingsPath = "/v1/models/ostris/flux-dev-lora-trainer/versions/*/trainings";

    [Theory]
    [InlineData(422, """{"title":"Invalid version or not permitted","detail":"The specified version does not exist","status":422}""", "provider_rejected_input", "validation")]
    public async Task Submission_RefusedForGood_FailsWithItsCodeAndNoRun(int status, string body, string code, string category)
    {
        var service = await fixture.SharedServiceAsync();
        var fault = await AnswerAsync(status, body);

        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal(code, row.GetProperty("failure_code").GetString());
        Assert.Equal(category, row.GetProperty("failure_category").GetString());
        Assert.Equal(1, (await fixture.Admin.FaultAsync(fault)).GetProperty("hits").GetInt32());
        Assert.Empty(await fixture.Admin.RunsAsync(job.AccountId));
        Assert.Equal("not_run", Assert.Single(row.GetProperty("attempts").EnumerateArray()).GetProperty("state").GetString());
        var failed = Assert.Single(await fixture.MessagesAsync(job.JobId), static message => message.Type == "TrainingFailed");
        Assert.Equal(code, failed.Body.GetProperty("Code").GetString());
    }

    [Fact]
    public async Task Submission_ThrottledTwice_WaitsAndBuysOneRun()
    {
        var service = await fixture.SharedServiceAsync();
        var fault = await fixture.Admin.AddFaultAsync(new
        {
            on = "request",
            method = "POST",
            path = TrainingsPath,
            count = 2,
            action = new { kind = "answer", status = 429, headers = new Dictionary<string, string>(StringComparer.Ordinal) { ["Retry-After"] = "1" }, body = new { detail = "Request was throttled." } },
        });

        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("succeeded", row.GetProperty("state").GetString());
        Assert.Equal(2, (await fixture.Admin.FaultAsync(fault)).GetProperty("hits").GetInt32());
        Assert.Equal(3, Assert.Single(row.GetProperty("attempts").EnumerateArray()).GetProperty("posts").GetInt32());
        Assert.Single(await fixture.Admin.RunsAsync(job.AccountId));
    }

    [Fact]
    public async Task Submission_ThrottledForEver_FailsAsRateLimited()
    {
        await fixture.StopSharedAsync();
        await using var service = await fixture.StartServiceAsync(("Driving:RateLimitTries", "3"));
        var fault = await AnswerAsync(429, """{"detail":"Request was throttled. Expected available in 1 second."}""", count: 0);

        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("provider_rate_limited", row.GetProperty("failure_code").GetString());
        Assert.Equal(3, (await fixture.Admin.FaultAsync(fault)).GetProperty("hits").GetInt32());
        Assert.Empty(await fixture.Admin.RunsAsync(job.AccountId));
    }

    [Fact]
    public async Task Submission_DestinationMissing_CreatesItAndPostsOnceMore()
    {
        var service = await fixture.SharedServiceAsync();
        await AnswerAsync(404, """{"detail":"The specified training destination does not exist","status":404}""");

        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("succeeded", row.GetProperty("state").GetString());
        Assert.Equal(2, Assert.Single(row.GetProperty("attempts").EnumerateArray()).GetProperty("posts").GetInt32());
        Assert.Single(await fixture.Admin.RunsAsync(job.AccountId));
    }

    [Theory]
    [InlineData("answer", 1)]
    [InlineData("drop", 1)]
    [InlineData("hang", 1)]
    public async Task Submission_LostBeforeItTookEffect_IsProvenAndAnotherAttemptTrains(string kind, int count)
    {
        var service = await fixture.SharedServiceAsync();
        await fixture.Admin.AddFaultAsync(new { on = "request", method = "POST", path = TrainingsPath, count, action = new { kind, when = "before", status = 500 } });

        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("succeeded", row.GetProperty("state").GetString());
        var attempts = row.GetProperty("attempts").EnumerateArray().ToArray();
        Assert.Equal(["not_run", "succeeded"], attempts.Select(static attempt => attempt.GetProperty("state").GetString()));
        Assert.NotEqual(attempts[0].GetProperty("input_id").GetString(), attempts[1].GetProperty("input_id").GetString());
        Assert.Equal(2, attempts[0].GetProperty("absent_reads").GetInt32());
        Assert.NotEqual(JsonValueKind.Null, attempts[0].GetProperty("input_deleted_at").ValueKind);

        // Not before the request's deadline and the wait have passed.
        var posted = attempts[0].GetProperty("posted_at").GetDateTimeOffset();
        Assert.True(attempts[1].GetProperty("created_at").GetDateTimeOffset() - posted >= TrainingFixture.PostTimeout + TrainingFixture.UnknownWait, row.ToString());
        Assert.Contains("needs_review", row.GetProperty("stages").EnumerateArray().Select(static stage => stage.GetString()));
        Assert.Single(await fixture.Admin.RunsAsync(job.AccountId));
    }

    [Theory]
    [InlineData("answer")]
    [InlineData("drop")]
    [InlineData("hold")]
    [InlineData("cut")]
    public async Task Submission_TookEffectButItsAnswerIsLost_IsAdopted(string kind)
    {
        var service = await fixture.SharedServiceAsync();
        var fault = await fixture.Admin.AddFaultAsync(new { on = "request", method = "POST", path = TrainingsPath, action = new { kind, when = "after", status = 500, bytes = 20 } });

        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("succeeded", row.GetProperty("state").GetString());
        Assert.Equal(1, (await fixture.Admin.FaultAsync(fault)).GetProperty("hits").GetInt32());
        var run = Assert.Single(await fixture.Admin.RunsAsync(job.AccountId));
        Assert.Equal(run.GetProperty("id").GetString(), Assert.Single(row.GetProperty("attempts").EnumerateArray()).GetProperty("run_id").GetString());
    }

    [Fact]
    public async Task Submission_AlwaysLost_FailsAsUnavailableWithoutARun()
    {
        await fixture.StopSharedAsync();
        await using var service = await fixture.StartServiceAsync(
            ("Driving:MaxAttempts", "2"), ("Driving:PostTimeout", "00:00:01"), ("Driving:PostGrace", "00:00:01"), ("Driving:UnknownWait", "00:00:00.5"));
        await AnswerAsync(500, "{}", count: 0);

        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("provider_unavailable", row.GetProperty("failure_code").GetString());
        Assert.Equal(["not_run", "not_run"], row.GetProperty("attempts").EnumerateArray().Select(static attempt => attempt.GetProperty("state").GetString()));
        Assert.Empty(await fixture.Admin.RunsAsync(job.AccountId));
    }

    [Fact]
    public async Task Submission_UnknownAndTheListUnreadable_EndsAsUnknownRunAndKeepsTheAttemptOpen()
    {
        await fixture.StopSharedAsync();
        await using var service = await fixture.StartServiceAsync(("Driving:ReviewTimeout", "00:00:02"), ("Replicate:Tries", "1"));
        await fixture.Admin.AddFaultAsync(new { on = "request", method = "POST", path = TrainingsPath, action = new { kind = "drop", when = "after" } });
        await fixture.Admin.AddFaultAsync(new { on = "request", method = "GET", path = "/v1/trainings", count = 0, action = new { kind = "answer", status = 500 } });

        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("unknown_run", row.GetProperty("failure_code").GetString());
        Assert.Equal("unknown", Assert.Single(row.GetProperty("attempts").EnumerateArray()).GetProperty("state").GetString());

        // A retry looks for that run first, and finds it.
        await fixture.Admin.ClearFaultsAsync();
        await fixture.RetryAsync(job);
        row = await fixture.WaitForAsync(job.JobId, service, "succeeded");
        Assert.Single(row.GetProperty("attempts").EnumerateArray());
        Assert.Single(await fixture.Admin.RunsAsync(job.AccountId));
    }

    [Fact]
    public async Task Account_ReachedWithAWrongToken_FailsBeforeAnythingIsSent()
    {
        await fixture.StopSharedAsync();
        await using var service = await fixture.StartServiceAsync(
            ("Replicate:ApiToken", "r8_wrong_token"), ("Driving:AccessPause", "00:00:00.2"), ("Driving:AccessTimeout", "00:00:01"));

        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("provider_credentials_refused", row.GetProperty("failure_code").GetString());
        Assert.Empty(row.GetProperty("attempts").EnumerateArray());
        Assert.DoesNotContain("r8_wrong_token", service.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("r8_wrong_token", row.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("refuse", "Prediction input failed validation: {\"detail\":[]}", "provider_rejected_input")]
    [InlineData("fail", "CUDA out of memory", "training_failed")]
    public async Task Run_Failed_FailsWithItsCode(string quirk, string text, string code)
    {
        var service = await fixture.SharedServiceAsync();
        var account = Guid.CreateVersion7();
        await QuirksAsync(account, new Dictionary<string, object>(StringComparer.Ordinal) { [quirk] = text });

        var job = await fixture.TrainAsync(account);
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal(code, row.GetProperty("failure_code").GetString());
        Assert.Equal("failed", Assert.Single(row.GetProperty("attempts").EnumerateArray()).GetProperty("state").GetString());
    }

    [Theory]
    [InlineData("archive", "two-weights", "model_invalid")]
    [InlineData("archive", "missing-weights", "model_invalid")]
    [InlineData("archive", "truncated", "model_invalid")]
    [InlineData("archive", "link", "model_invalid")]
    [InlineData("archive", "not-a-tar", "model_invalid")]
    [InlineData("archive", "empty", "model_invalid")]
    [InlineData("lora", "nan", "model_invalid")]
    [InlineData("lora", "infinity", "model_invalid")]
    [InlineData("lora", "truncated", "model_invalid")]
    [InlineData("lora", "header-length", "model_invalid")]
    [InlineData("output", "null", "model_download_failed")]
    [InlineData("output", "without-weights", "model_download_failed")]
    public async Task Artifact_Unusable_FailsAndStoresNothing(string quirk, string value, string code)
    {
        var service = await fixture.SharedServiceAsync();
        var account = Guid.CreateVersion7();
        await QuirksAsync(account, new Dictionary<string, object>(StringComparer.Ordinal) { [quirk] = value });

        var job = await fixture.TrainAsync(account);
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal(code, row.GetProperty("failure_code").GetString());
        Assert.DoesNotContain(fixture.Surroundings.Objects.Keys, key => key.Contains(job.JobId.ToString("N"), StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("logs", "unescaped")]
    [InlineData("logs", "ansi")]
    [InlineData("logs", "long")]
    [InlineData("archive", "zip-slip")]
    public async Task Run_OddButSound_Succeeds(string quirk, string value)
    {
        var service = await fixture.SharedServiceAsync();
        var account = Guid.CreateVersion7();
        await QuirksAsync(account, new Dictionary<string, object>(StringComparer.Ordinal) { [quirk] = value });

        var job = await fixture.TrainAsync(account);
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("succeeded", row.GetProperty("state").GetString());
    }

    [Fact]
    public async Task Download_BrokenOnce_IsFetchedAgain()
    {
        var service = await fixture.SharedServiceAsync();
        await fixture.Admin.AddFaultAsync(new { on = "request", method = "GET", path = "/delivery/**", action = new { kind = "cut", bytes = 1000 } });

        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("succeeded", row.GetProperty("state").GetString());
    }

    [Fact]
    public async Task Run_UnknownToTheProviderAfterwards_FailsAsVanished()
    {
        var service = await fixture.SharedServiceAsync();
        await fixture.Admin.AddFaultAsync(new { on = "request", method = "GET", path = "/v1/trainings/*", count = 0, action = new { kind = "answer", status = 404, body = new { detail = "not found" } } });
        await fixture.Admin.AddFaultAsync(new { on = "request", method = "GET", path = "/v1/trainings", count = 0, action = new { kind = "answer", status = 200, body = new { results = Array.Empty<object>() } } });

        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("provider_run_vanished", row.GetProperty("failure_code").GetString());
    }

    [Fact]
    public async Task Webhooks_NeverSent_TheJobIsFoundByLooking()
    {
        var service = await fixture.SharedServiceAsync();
        await fixture.Admin.AddFaultAsync(new { on = "webhook", count = 0, action = new { kind = "never" } });

        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("succeeded", row.GetProperty("state").GetString());
    }

    [Theory]
    [InlineData(404)]
    [InlineData(409)]
    public async Task Dataset_Gone_FailsAsRefused(int status)
    {
        await fixture.StopSharedAsync();
        await using var service = await fixture.StartServiceAsync(("Driving:PrepareTries", "100"));
        // No file is taken until the dataset is gone.
        var fault = await fixture.Admin.AddFaultAsync(new { on = "request", method = "POST", path = "/v1/files", count = 0, action = new { kind = "answer", status = 503 } });

        var job = await fixture.TrainAsync();
        var jobId = job.JobId;
        await fixture.ConsumeAsync<DatasetBuiltConsumer, Contracts.Uploads.DatasetBuilt>(new Contracts.Uploads.DatasetBuilt
        {
            AccountId = job.AccountId,
            CausedBy = job.CausedBy,
            JobId = jobId,
            Revision = 1,
            Photos = 3,
            Bytes = 1,
            Sha256 = "",
        });
        await Deadline.WaitAsync("the file was refused", () => fixture.Admin.FaultAsync(fault), static state => state.GetProperty("hits").GetInt32() > 0);
        fixture.Surroundings.DatasetAnswers[jobId] = status;
        var row = await fixture.WaitForAsync(jobId, service, "succeeded", "failed");

        Assert.Equal("dataset_refused", row.GetProperty("failure_code").GetString());
        Assert.Empty(await fixture.Admin.RunsAsync(job.AccountId));
    }

    [Fact]
    public async Task Dataset_Refused_FailsAsRefused()
    {
        var service = await fixture.SharedServiceAsync();
        var jobId = Guid.CreateVersion7();
        fixture.Surroundings.DatasetAnswers[jobId] = 404;
        var job = await fixture.TrainAsync(configure: static values => values["provider"] = "replicate", jobId: jobId);
        await fixture.ConsumeAsync<DatasetRefusedConsumer, Contracts.Uploads.DatasetRefused>(new Contracts.Uploads.DatasetRefused
        {
            AccountId = job.AccountId,
            CausedBy = job.CausedBy,
            JobId = job.JobId,
            Revision = 1,
            Code = "photo_missing",
        });

        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("dataset_refused", row.GetProperty("failure_code").GetString());
        Assert.Equal("photo_missing", row.GetProperty("failure_detail").GetString());
    }

    private Task<string> AnswerAsync(int status, string body, int count = 1) => fixture.Admin.AddFaultAsync(new
    {
        on = "request",
        method = "POST",
        path = TrainingsPath,
        count,
        action = new { kind = "answer", status, body = JsonSerializer.Deserialize<JsonElement>(body) },
    });

    private Task<string> QuirksAsync(Guid account, Dictionary<string, object> quirks) => fixture.Admin.AddFaultAsync(new
    {
        on = "training",
        destination = SandboxAdmin.DestinationOf(account),
        count = 0,
        action = new { kind = "quirks", quirks },
    });
}
