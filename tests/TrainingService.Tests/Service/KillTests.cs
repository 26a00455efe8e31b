namespace Flurrty.TrainingService.Tests.Service;

/// <summary>Killed or paused anywhere on the way, a job still ends with exactly one run.</summary>
[Collection(ServiceTests.Name)]
public sealed class KillTests(TrainingFixture fixture)
{
    private const string TrainingsPath = "/v1/models/ostris/flux-dev-lora-trainer/versions/*/trainings";

    /// <summary>Leases that outlast the test: only the death of their process can free them.</summary>
    private static readonly (string, string)[] LongLeases = [("Driving:Lease", "00:05:00"), ("Driving:PostLease", "00:06:00")];

    [Theory]
    [InlineData("POST", "/v1/files", "before", false)]
    [InlineData("POST", "/v1/files", "after", false)]
    [InlineData("GET", "/v1/models/sandbox-user/*", "before", false)]
    [InlineData("POST", "/v1/models", "after", false)]
    [InlineData("POST", TrainingsPath, "before", false)]
    [InlineData("POST", TrainingsPath, "before", true)]
    [InlineData("POST", TrainingsPath, "after", false)]
    [InlineData("GET", "/v1/trainings/*", "before", false)]
    [InlineData("GET", "/v1/trainings/*", "after", false)]
    [InlineData("GET", "/delivery/**", "before", false)]
    [InlineData("DELETE", "/v1/files/*", "before", false)]
    [InlineData("DELETE", "/v1/files/*", "after", false)]
    public async Task Process_KilledWhileReplicateHoldsARequest_TheNextOneEndsTheJobWithOneRun(string method, string path, string when, bool arrivesLate)
    {
        await fixture.StopSharedAsync();
        fixture.Surroundings.WebhookTarget = null;
        var first = await fixture.StartServiceAsync(LongLeases);
        await using var _ = first;
        var fault = await fixture.Admin.AddFaultAsync(new
        {
            on = "request",
            method,
            path,
            action = new { kind = "hold", when, survives_disconnect = arrivesLate },
        });

        var job = await fixture.TrainAsync();
        await HeldAsync(fault, job.JobId, first);
        await first.KillAsync();
        if (arrivesLate)
        {
            await fixture.Admin.ReleaseAsync(fault);
        }

        await using var second = await fixture.StartServiceAsync(LongLeases);
        var row = await fixture.WaitForAsync(job.JobId, second, "succeeded", "failed");

        Assert.Equal("succeeded", row.GetProperty("state").GetString());
        var runs = await fixture.Admin.RunsAsync(job.AccountId);
        Assert.Single(runs);
        Assert.Equal(runs[0].GetProperty("id").GetString(), row.GetProperty("attempts").EnumerateArray().Last().GetProperty("run_id").GetString());
        await fixture.WaitForIdleAsync(job.JobId);
    }

    [Fact]
    public async Task Process_KilledWhileTheStoreHoldsTheModel_TheNextOneStoresIt()
    {
        await fixture.StopSharedAsync();
        fixture.Surroundings.WebhookTarget = null;
        var held = fixture.Surroundings.HoldNextPut();
        var first = await fixture.StartServiceAsync(LongLeases);
        await using var _ = first;
        var job = await fixture.TrainAsync();
        await held.WaitAsync(Deadline.Journey);
        await first.KillAsync();

        await using var second = await fixture.StartServiceAsync(LongLeases);
        var row = await fixture.WaitForAsync(job.JobId, second, "succeeded", "failed");

        Assert.Equal("succeeded", row.GetProperty("state").GetString());
        Assert.True(fixture.Surroundings.Objects.ContainsKey(row.GetProperty("model_key").GetString()!));
        Assert.Single(await fixture.Admin.RunsAsync(job.AccountId));
    }

    [Fact]
    public async Task Process_PausedBeforeItsRequest_SendsNothingOnceItsLeaseIsLost()
    {
        await fixture.StopSharedAsync();
        fixture.Surroundings.WebhookTarget = null;
        var first = await fixture.StartServiceAsync(("Driving:Lease", "00:00:06"));
        await using var _ = first;
        var fault = await fixture.Admin.AddFaultAsync(new { on = "request", method = "GET", path = "/v1/models/sandbox-user/*", action = new { kind = "hold", when = "before" } });
        var job = await fixture.TrainAsync();
        await HeldAsync(fault, job.JobId, first);
        first.Pause();
        await fixture.Admin.ReleaseAsync(fault);

        // The paused process lives, so its lease has to run out.
        await using var second = await fixture.StartServiceAsync();
        var row = await fixture.WaitForAsync(job.JobId, second, "succeeded", "failed");
        Assert.Equal("succeeded", row.GetProperty("state").GetString());
        first.Resume();
        await WaitForOutputAsync(first, "its work here ends");

        Assert.Single(await fixture.Admin.RunsAsync(job.AccountId));
        Assert.Equal(row.GetProperty("revision").GetInt64(), (await fixture.JobAsync(job.JobId)).GetProperty("revision").GetInt64());
    }

    [Fact]
    public async Task Process_StoppedWithJobsOnTheWay_GivesThemBack()
    {
        await fixture.StopSharedAsync();
        fixture.Surroundings.WebhookTarget = null;
        var first = await fixture.StartServiceAsync(LongLeases);
        await using var _ = first;
        var fault = await fixture.Admin.AddFaultAsync(new { on = "request", method = "POST", path = "/v1/files", action = new { kind = "hold", when = "before" } });
        var job = await fixture.TrainAsync();
        await HeldAsync(fault, job.JobId, first);

        await first.StopAsync(Deadline.Step);

        var row = await fixture.JobAsync(job.JobId);
        Assert.True(row.GetProperty("lease_until").ValueKind == System.Text.Json.JsonValueKind.Null, row.ToString());
        await using var second = await fixture.StartServiceAsync();
        row = await fixture.WaitForAsync(job.JobId, second, "succeeded", "failed");
        Assert.Equal("succeeded", row.GetProperty("state").GetString());
        Assert.Single(await fixture.Admin.RunsAsync(job.AccountId));
    }

    [Fact]
    public async Task Process_StoppedWhileARunIsAskedFor_WaitsForTheAnswer()
    {
        await fixture.StopSharedAsync();
        fixture.Surroundings.WebhookTarget = null;
        var first = await fixture.StartServiceAsync([.. LongLeases, ("Driving:PostTimeout", "00:01:00"), ("Driving:PostGrace", "00:01:00")]);
        await using var _ = first;
        var fault = await fixture.Admin.AddFaultAsync(new
        {
            on = "request",
            method = "POST",
            path = TrainingsPath,
            action = new { kind = "hold", when = "before" },
        });
        var job = await fixture.TrainAsync();
        await HeldAsync(fault, job.JobId, first);

        var stopped = first.StopAsync(Deadline.Journey);
        Assert.NotSame(stopped, await Task.WhenAny(stopped, Task.Delay(TimeSpan.FromSeconds(6))));
        await fixture.Admin.ReleaseAsync(fault);
        await stopped;

        var attempt = (await fixture.JobAsync(job.JobId)).GetProperty("attempts")[0];
        Assert.True(attempt.GetProperty("run_id").ValueKind == System.Text.Json.JsonValueKind.String, attempt.ToString());
        await using var second = await fixture.StartServiceAsync();
        var row = await fixture.WaitForAsync(job.JobId, second, "succeeded", "failed");
        Assert.Equal("succeeded", row.GetProperty("state").GetString());
        Assert.DoesNotContain("needs_review", row.GetProperty("stages").ToString(), StringComparison.OrdinalIgnoreCase);
        Assert.Single(await fixture.Admin.RunsAsync(job.AccountId));
    }

    [Fact]
    public async Task TwoProcesses_RacingTwentyJobs_BuyTwentyRuns()
    {
        await fixture.StopSharedAsync();
        await using var first = await fixture.StartServiceAsync(("Driving:Poll", "00:00:00.05"));
        await using var second = await fixture.StartServiceAsync(("Driving:Poll", "00:00:00.05"));
        fixture.Surroundings.WebhookTarget = second.Address;
        var account = Guid.CreateVersion7();

        var jobs = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => fixture.TrainAsync(account)));
        foreach (var job in jobs)
        {
            var row = await fixture.WaitForAsync(job.JobId, first, "succeeded", "failed");
            Assert.Equal("succeeded", row.GetProperty("state").GetString());
            Assert.Single(row.GetProperty("attempts").EnumerateArray());
        }

        Assert.Equal(20, (await fixture.Admin.RunsAsync(account)).Count);
    }

    private async Task HeldAsync(string fault, Guid jobId, ChildProcess service) => await Deadline.WaitAsync(
        "the request was sent",
        Deadline.Journey,
        async () => (Fault: await fixture.Admin.FaultAsync(fault), Job: await fixture.JobAsync(jobId), service.Output),
        static state => state.Fault.GetProperty("holding").GetInt32() > 0);

    private static async Task WaitForOutputAsync(ChildProcess process, string text) =>
        await Deadline.WaitAsync($"'{text}' was said", () => Task.FromResult(process.Output), output => output.Contains(text, StringComparison.Ordinal));
}
