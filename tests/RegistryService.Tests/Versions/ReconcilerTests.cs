using Flurrty.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Http;

namespace Flurrty.RegistryService.Tests.Versions;

/// <summary>The broker is away in all of these: whatever was sent is lost.</summary>
[Collection(RegistryCollection.Name)]
public sealed class ReconcilerTests(RegistryFixture fixture)
{
    private static readonly (string Key, string Value)[] Fast =
    [
        ("Reconciler:ResendAfter", "00:00:00.300"),
        ("Reconciler:AskAfter", "00:00:00.300"),
        ("Reconciler:Every", "00:00:00.050"),
    ];

    private readonly Guid _account = Guid.CreateVersion7();

    [Fact]
    public async Task Version_NobodyAcknowledges_IsAskedForAgainAndAgain()
    {
        fixture.SealWith(3);
        await using var registry = fixture.Start(Fast);
        var identity = await registry.ClientOf(_account).CreatedAsync(Body());
        var sent = 0L;
        await RegistryFixture.WaitAsync(
            async () => (sent = await SentAsync(identity.VersionId())) >= 3, () => $"{sent} commands");
    }

    [Theory]
    [InlineData("succeeded", "ready")]
    [InlineData("failed", "failed")]
    [InlineData("canceled", "canceled")]
    public async Task Version_WhoseEventsWereLost_EndsAsTrainingServiceSays(string state, string status)
    {
        fixture.SealWith(3);
        await using var registry = fixture.Start(Fast);
        var client = registry.ClientOf(_account);
        var identity = await client.CreatedAsync(Body());
        fixture.Training.Handler = (context, call) => context.Response.WriteAsJsonAsync(new
        {
            job_id = identity.VersionId(),
            revision = 7,
            state,
            stage = state,
            progress = 40,
            attempt = 1,
            provider = "replicate",
            failure = state == "failed" ? new { category = "payment", code = "provider_payment_required", retryable = true } : null,
            model = state == "succeeded" ? new { bytes = 89_745_224, sha256 = new string('b', 64), trained_at = "2026-01-01T12:00:00+02:00" } : null,
        });
        await StartTrainingAsync(identity.VersionId());
        var ended = await RegistryFixture.WaitAsync(client, identity.Id(), json => json.Text("status") is "ready" or "failed" or "canceled");
        Assert.Equal(status, ended.Text("status"));
        var call = fixture.Training.Calls.Last(seen => seen.Path.EndsWith(identity.VersionId().ToString(), StringComparison.Ordinal));
        Assert.Equal(("GET", $"/internal/trainings/{identity.VersionId()}", _account), (call.Method, call.Path, call.Caller.AccountId));
        if (status == "ready")
        {
            Assert.Equal(89_745_224, ended.GetProperty("model").GetProperty("bytes").GetInt64());
            Assert.Equal(100, ended.GetProperty("progress").GetInt32());
        }

        if (status == "failed")
        {
            Assert.Equal("provider_payment_required", ended.GetProperty("error").Text("code"));
            Assert.Contains("Add credit", ended.Text("error_message"), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Version_WhileTrainingServiceIsAway_IsAskedAboutUntilItAnswers()
    {
        fixture.SealWith(3);
        await using var registry = fixture.Start(Fast);
        var client = registry.ClientOf(_account);
        var identity = await client.CreatedAsync(Body());
        var asked = 0;
        fixture.Training.Handler = (context, call) =>
        {
            if (call.Path.EndsWith(identity.VersionId().ToString(), StringComparison.Ordinal) && Interlocked.Increment(ref asked) > 2)
            {
                return context.Response.WriteAsJsonAsync(new { job_id = identity.VersionId(), revision = 9, state = "canceled" });
            }

            context.Response.StatusCode = StatusCodes.Status500InternalServerError;
            return Task.CompletedTask;
        };
        await StartTrainingAsync(identity.VersionId());
        await RegistryFixture.WaitAsync(client, identity.Id(), json => json.Text("status") == "canceled");
    }

    [Fact]
    public async Task Version_ThatTrainingServiceForgot_IsAskedForAgain()
    {
        fixture.SealWith(3);
        await using var registry = fixture.Start(Fast);
        var identity = await registry.ClientOf(_account).CreatedAsync(Body());
        fixture.Training.Handler = (context, _) => Problem.WriteAsync(context, Problem.Details(404, "training_not_found", "There is no such training.", "Check the id."));
        await StartTrainingAsync(identity.VersionId());
        var before = await SentAsync(identity.VersionId());
        var sent = 0L;
        await RegistryFixture.WaitAsync(
            async () => (sent = await SentAsync(identity.VersionId())) > before, () => $"{sent} commands");
    }

    [Fact]
    public async Task Version_ThatHasEnded_IsLeftAlone()
    {
        fixture.SealWith(3);
        await using var registry = fixture.Start(Fast);
        var client = registry.ClientOf(_account);
        var identity = await client.CreatedAsync(Body());
        fixture.Training.Handler = (context, _) => context.Response.WriteAsJsonAsync(new { job_id = identity.VersionId(), revision = 9, state = "canceled" });
        await StartTrainingAsync(identity.VersionId());
        await RegistryFixture.WaitAsync(client, identity.Id(), json => json.Text("status") == "canceled");
        Assert.Equal(0, await fixture.CountAsync("SELECT count(*) FROM versions WHERE id = $1 AND next_look_at IS NOT NULL", identity.VersionId()));
    }

    private static object Body() => new { name = "Dad", photo_set_id = Guid.CreateVersion7() };

    private Task<long> SentAsync(Guid versionId) =>
        fixture.CountAsync("SELECT count(*) FROM outbox_messages WHERE queue = 'train-identity' AND body->>'JobId' = $1", versionId.ToString());

    // As an acknowledgement that arrived before everything was lost.
    private async Task StartTrainingAsync(Guid versionId)
    {
        await using var command = fixture.Everything.CreateCommand("UPDATE versions SET status = 'training', training_revision = 1 WHERE id = $1");
        command.Parameters.Add(new Npgsql.NpgsqlParameter { Value = versionId });
        Assert.Equal(1, await command.ExecuteNonQueryAsync());
    }
}
