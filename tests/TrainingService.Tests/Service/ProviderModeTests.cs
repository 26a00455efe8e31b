using System.Net;
using System.Text.Json;
using Flurrty.Contracts.Training;
using Flurrty.TrainingService.Tests.Support;
using Npgsql;

namespace Flurrty.TrainingService.Tests.Service;

/// <summary>A refused token, an unreachable provider and a changed mode are told, and nothing is sent or bought on a guess.</summary>
[Collection(ServiceTests.Name)]
public sealed class ProviderModeTests(TrainingFixture fixture)
{

    [Fact]
    public async Task Training_WithARefusedToken_WaitsAndThenFailsBeforeAnythingIsUploaded()
    {
        await fixture.StopSharedAsync();
        const string Wrong = "r8_wrong_token_that_no_log_shows";
        await using var service = await fixture.StartServiceAsync(("Replicate:ApiToken", Wrong), ("Driving:AccessPause", "00:00:00.2"), ("Driving:AccessTimeout", "00:00:02"));
        var uploads = await fixture.Admin.AddFaultAsync(new { on = "request", method = "POST", path = "/v1/files", count = 0, action = new { kind = "answer", status = 503 } });

        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("provider_credentials_refused", row.GetProperty("failure_code").GetString());
        Assert.True(row.GetProperty("failure_retryable").GetBoolean());
        Assert.Contains(await fixture.MessagesAsync(job.JobId), static message => message.Type == "TrainingAdvanced" && message.Body.GetProperty("WaitingReason").GetString() == "credentials_refused");
        Assert.Equal(0, row.GetProperty("attempts").GetArrayLength());
        Assert.Equal(0, (await fixture.Admin.FaultAsync(uploads)).GetProperty("hits").GetInt32());
        Assert.DoesNotContain(await fixture.MessagesAsync(job.JobId), static message => message.Type == "BuildDataset");
        var provider = await ProviderAsync(service);
        Assert.False(provider.GetProperty("available").GetBoolean());
        Assert.Equal("sandbox", provider.GetProperty("mode").GetString());
        Assert.Equal("provider_credentials_refused", provider.GetProperty("reason").GetProperty("code").GetString());
        Assert.DoesNotContain(Wrong, service.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Providers_ThatLetUsIn_AreAvailableWithEstimates()
    {
        var service = await fixture.SharedServiceAsync();
        var account = Guid.CreateVersion7();
        JsonElement provider = default;
        await Eventually.IsTrueAsync(() => (provider = ProviderAsync(service).Result).GetProperty("available").GetBoolean(), () => $"{provider}\n{service.Output}");

        Assert.Equal(JsonValueKind.Null, provider.TryGetProperty("reason", out var reason) ? reason.ValueKind : JsonValueKind.Null);
        Assert.True(provider.GetProperty("webhooks").GetBoolean());
        Assert.Contains($"This installation is {SandboxAdmin.Installation}", service.Output, StringComparison.Ordinal);
        var thousand = (await fixture.GetJsonAsync(service, "/api/estimates?steps=1000", account)).GetProperty("estimates")[0];
        var hundred = (await fixture.GetJsonAsync(service, "/api/estimates?steps=100", account)).GetProperty("estimates")[0];
        Assert.Equal("replicate", thousand.GetProperty("provider").GetString());
        Assert.InRange(thousand.GetProperty("max_dollars").GetDecimal(), thousand.GetProperty("min_dollars").GetDecimal() + 0.01m, 10m);
        Assert.True(hundred.GetProperty("max_dollars").GetDecimal() < thousand.GetProperty("max_dollars").GetDecimal());
        using var none = await fixture.GetAsync(service, "/api/estimates?steps=0", account);
        Assert.Equal(HttpStatusCode.BadRequest, none.StatusCode);
    }

    [Fact]
    public async Task Training_WithAPublicUrlThatDoesNotWork_AsksForNoWebhookAndSucceedsByLooking()
    {
        await fixture.StopSharedAsync();
        await using var service = await fixture.StartServiceAsync(("PublicBaseUrl", "http://127.0.0.1:1/"));

        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("succeeded", row.GetProperty("state").GetString());
        Assert.Equal(JsonValueKind.Null, row.GetProperty("attempts")[0].GetProperty("webhook_token_hash").ValueKind);
        Assert.Equal("sandbox", row.GetProperty("provider_mode").GetString());
        Assert.False((await ProviderAsync(service)).GetProperty("webhooks").GetBoolean());
    }

    [Fact]
    public async Task Training_BegunInTheSandbox_IsNotContinuedAtTheRealProvider()
    {
        var job = await BeginAsync();
        await using var service = await StartLiveAsync();

        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("provider_mode_changed", row.GetProperty("failure_code").GetString());
        Assert.Equal("running", row.GetProperty("attempts")[0].GetProperty("state").GetString());
    }

    [Fact]
    public async Task Training_BegunLive_WaitsWhileTheModeIsAnother()
    {
        var job = await BeginAsync();
        await SetModeAsync(job.JobId, "live");
        await using (var sandboxed = await fixture.StartServiceAsync())
        {
            await Eventually.IsTrueAsync(() => sandboxed.Output.Contains($"Job {job.JobId} was begun at replicate in the mode live", StringComparison.Ordinal), () => sandboxed.Output);
            Assert.Matches("^(queued|training)$", (await fixture.JobAsync(job.JobId)).GetProperty("state").GetString());
        }

        // Back in its mode it goes on. Here that is the mode of the run, which is the Sandbox's.
        await SetModeAsync(job.JobId, "sandbox");
        await using var service = await fixture.StartServiceAsync();
        await fixture.CancelAsync(job);
        await fixture.WaitForAsync(job.JobId, service, "canceled");
    }

    [Fact]
    public async Task Provider_LiveAndUnreachable_IsToldAndNothingHangs()
    {
        await fixture.StopSharedAsync();
        await using var service = await StartLiveAsync();

        JsonElement provider = default;
        await Eventually.IsTrueAsync(
            () => (provider = ProviderAsync(service).Result).GetProperty("reason").GetProperty("code").GetString() == "provider_unreachable", () => $"{provider}\n{service.Output}");

        Assert.Equal("live", provider.GetProperty("mode").GetString());
        Assert.False(provider.GetProperty("available").GetBoolean());
        Assert.Contains("replicate (live) cannot be reached", service.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Service_WithSeveralWrongSettings_SaysThemAllAndEnds()
    {
        await using var service = await ChildProcess.LaunchAsync("TrainingService", fixture.VariablesWith(
            ("Replicate:Mode", "lve"), ("Installation:Id", "mine"), ("PublicUrl:Timeout", "0"), ("AccessChecks:Recheck", "0")));

        Assert.NotEqual(0, await service.WaitForExitAsync(Deadline.Journey));
        string[] names = ["Replicate:Mode", "Installation:Id", "'Timeout'", "'Recheck'"];
        await Eventually.IsTrueAsync(() => names.All(name => service.Output.Contains(name, StringComparison.Ordinal)), () => service.Output);
    }

    [Fact]
    public async Task Service_WithTheProviderOff_OffersNone()
    {
        await fixture.StopSharedAsync();
        await using var service = await fixture.StartServiceAsync(("Replicate:Mode", "off"), ("Replicate:ApiToken", ""));

        var job = await fixture.TrainAsync();
        var row = await fixture.WaitForAsync(job.JobId, service, "succeeded", "failed");

        Assert.Equal("unknown_provider", row.GetProperty("failure_code").GetString());
        Assert.Equal(0, (await fixture.GetJsonAsync(service, "/api/providers", job.AccountId)).GetProperty("providers").GetArrayLength());
    }

    /// <summary>Nobody listens there, and nobody outside is asked.</summary>
    private Task<ChildProcess> StartLiveAsync() => fixture.StartServiceAsync(
        ("Replicate:Mode", "live"), ("Replicate:BaseUrl", "https://127.0.0.1:1/v1"), ("PublicBaseUrl", ""));

    /// <summary>A training whose run goes on after the service has stopped.</summary>
    private async Task<TrainIdentity> BeginAsync()
    {
        await fixture.StopSharedAsync();
        await using var service = await fixture.StartServiceAsync();
        var account = Guid.CreateVersion7();
        await fixture.Admin.AddFaultAsync(new { on = "training", destination = SandboxAdmin.DestinationOf(account), action = new { kind = "quirks", quirks = new { seconds = 3000 } } });
        var job = await fixture.TrainAsync(account);
        await fixture.WaitForAsync(job.JobId, service, "queued", "training");
        return job;
    }

    private async Task SetModeAsync(Guid job, string mode)
    {
        await using var source = NpgsqlDataSource.Create(fixture.SuperuserConnection);
        await using var command = source.CreateCommand("UPDATE jobs SET provider_mode = $2, next_look_at = clock_timestamp() WHERE id = $1");
        command.Parameters.Add(new NpgsqlParameter { Value = job });
        command.Parameters.Add(new NpgsqlParameter { Value = mode });
        Assert.Equal(1, await command.ExecuteNonQueryAsync());
    }

    private async Task<JsonElement> ProviderAsync(ChildProcess service) =>
        (await fixture.GetJsonAsync(service, "/api/providers", Guid.CreateVersion7())).GetProperty("providers")[0];
}
