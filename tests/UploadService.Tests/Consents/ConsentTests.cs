using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Flurrty.UploadService.Tests.Fixtures;

namespace Flurrty.UploadService.Tests.Consents;

[Collection(UploadsCollection.Name)]
public sealed class ConsentTests(UploadsFixture uploads)
{
    [Fact]
    public async Task Seal_WithoutConsent_IsRefusedUntilItIsGiven()
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        using var registry = uploads.AsService("registry", account);
        var set = await WithPhotosAsync(caller);
        var version = Guid.CreateVersion7();
        var (status, problem) = await registry.SealAsync(version, set);
        Assert.True((status, problem.Code()) == (HttpStatusCode.UnprocessableEntity, "consent_missing"), $"{status} {problem}");
        Assert.Contains($"/api/photo-sets/{set}/consent", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);

        Assert.Equal(HttpStatusCode.Created, (await caller.ConsentAsync(set)).Status);
        (status, problem) = await registry.SealAsync(version, set);
        Assert.True(status == HttpStatusCode.OK, $"{status} {problem}");
    }

    [Fact]
    public async Task Seal_AfterTheTextHasChanged_NeedsConsentAnew()
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        var set = await WithPhotosAsync(caller);
        Assert.Equal(HttpStatusCode.Created, (await caller.ConsentAsync(set)).Status);
        await using var later = await ServiceProcess.StartAsync(new Dictionary<string, string?>(uploads.Settings(), StringComparer.Ordinal)
        {
            ["Consents:TextVersion"] = "2099-01",
            ["Consents:Text"] = "Another text.",
        });
        using var registry = uploads.AsService("registry", account, later.Address);
        var (status, problem) = await registry.SealAsync(Guid.CreateVersion7(), set);
        Assert.True((status, problem.Code()) == (HttpStatusCode.UnprocessableEntity, "consent_missing"), $"{status} {problem}");
        Assert.Contains("has changed", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);

        using var again = uploads.As(account, later.Address);
        Assert.False((await again.LookAsync($"/api/photo-sets/{set}/consent")).Body.GetProperty("current").GetBoolean());
        Assert.Equal(HttpStatusCode.Created, (await again.ConsentAsync(set)).Status);
        Assert.Equal(HttpStatusCode.OK, (await registry.SealAsync(Guid.CreateVersion7(), set)).Status);
    }

    [Fact]
    public async Task Consent_Given_IsShownWithTextTimeAccountAndAddress()
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        caller.DefaultRequestHeaders.Add("X-Forwarded-For", "203.0.113.7");
        var set = await caller.NewSetAsync();
        Assert.Equal(JsonValueKind.Null, (await caller.LookAsync($"/api/photo-sets/{set}")).Body.GetProperty("consent").ValueKind);
        var (missing, nothing) = await caller.LookAsync($"/api/photo-sets/{set}/consent");
        Assert.True((missing, nothing.Code()) == (HttpStatusCode.NotFound, "consent_not_found"), $"{missing} {nothing}");

        var (_, text) = await caller.LookAsync("/api/photo-sets/consent-text");
        Assert.Equal(text.GetProperty("text_sha256").GetString(), Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.GetProperty("text").GetString()!))));
        var before = DateTimeOffset.UtcNow.AddMinutes(-1);
        var (status, given) = await caller.ConsentAsync(set);
        Assert.True(status == HttpStatusCode.Created, $"{status} {given}");
        Assert.Equal("203.0.113.7", given.GetProperty("address").GetString());
        Assert.Equal(account, given.GetProperty("account_id").GetGuid());
        Assert.Equal(text.GetProperty("text_version").GetString(), given.GetProperty("text_version").GetString());
        Assert.InRange(given.GetProperty("given_at").GetDateTimeOffset(), before, DateTimeOffset.UtcNow.AddMinutes(1));

        // A repetition, from elsewhere, changes nothing.
        caller.DefaultRequestHeaders.Remove("X-Forwarded-For");
        var (again, repeated) = await caller.ConsentAsync(set);
        Assert.Equal(HttpStatusCode.OK, again);
        Assert.Equal(given.GetProperty("id").GetGuid(), repeated.GetProperty("id").GetGuid());
        Assert.Equal("203.0.113.7", (await caller.LookAsync($"/api/photo-sets/{set}")).Body.GetProperty("consent").GetProperty("address").GetString());
        Assert.Equal("203.0.113.7", (await caller.LookAsync($"/api/photo-sets/{set}/consent")).Body.GetProperty("address").GetString());
    }

    [Theory]
    [InlineData("192.0.2.1, 203.0.113.7")]
    [InlineData("not an address")]
    public async Task Consent_WithAnAddressThatTheGatewayDoesNotWrite_IsRecordedWithout(string forwarded)
    {
        using var caller = uploads.As(Guid.NewGuid());
        caller.DefaultRequestHeaders.TryAddWithoutValidation("X-Forwarded-For", forwarded);
        var (status, given) = await caller.ConsentAsync(await caller.NewSetAsync());
        Assert.True(status == HttpStatusCode.Created, $"{status} {given}");
        Assert.Equal(JsonValueKind.Null, given.GetProperty("address").ValueKind);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("1999-01")]
    public async Task Consent_ToAnotherText_IsRefused(string? version)
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        using var answer = await caller.PostAsJsonAsync($"/api/photo-sets/{set}/consent", new { text_version = version });
        var (status, problem) = await answer.ReadAsync();
        Assert.True((status, problem.Code()) == (HttpStatusCode.UnprocessableEntity, "consent_text_outdated"), $"{status} {problem}");
        Assert.Equal(HttpStatusCode.NotFound, (await caller.LookAsync($"/api/photo-sets/{set}/consent")).Status);
    }

    [Fact]
    public async Task Consent_OfSomebodyElsesSet_IsNotFound()
    {
        using var owner = uploads.As(Guid.NewGuid());
        using var other = uploads.As(Guid.NewGuid());
        var set = await owner.NewSetAsync();
        Assert.Equal(HttpStatusCode.Created, (await owner.ConsentAsync(set)).Status);
        Assert.Equal(HttpStatusCode.OK, (await owner.LookAsync($"/api/photo-sets/{set}/consent")).Status);
        var (status, problem) = await other.ConsentAsync(set);
        Assert.True((status, problem.Code()) == (HttpStatusCode.NotFound, "photo_set_not_found"), $"{status} {problem}");
        Assert.Equal(HttpStatusCode.NotFound, (await other.LookAsync($"/api/photo-sets/{set}/consent")).Status);
    }

    [Fact]
    public async Task Consent_OfADeletedSet_StaysOnlyAsEvidenceOfATraining()
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        using var registry = uploads.AsService("registry", account);
        var trained = await caller.NewSetWithPhotosAsync(3);
        var untrained = await caller.NewSetWithPhotosAsync(3);
        Assert.Equal(HttpStatusCode.OK, (await registry.SealAsync(Guid.CreateVersion7(), trained)).Status);
        foreach (var set in new[] { trained, untrained })
        {
            Assert.Single(await ConsentsOfAsync(set));
            using var answer = await caller.DeleteAsync($"/api/photo-sets/{set}");
            Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        }

        Assert.Single(await ConsentsOfAsync(trained));
        Assert.Empty(await ConsentsOfAsync(untrained));
    }

    private static async Task<Guid> WithPhotosAsync(HttpClient caller)
    {
        var set = await caller.NewSetAsync();
        var (status, body) = await caller.AddAsync(set, [.. Enumerable.Range(0, 3).Select(i => ($"{i}.jpg", TestPhotos.Jpeg(320, 240, 900 + i)))]);
        Assert.True(status == HttpStatusCode.Created, $"{status} {body}");
        return set;
    }

    private Task<List<string>> ConsentsOfAsync(Guid set) =>
        StoreChecks.QueryAsync(uploads.Postgres.Superuser("uploads"), "SELECT id FROM consents WHERE photo_set_id = $1", set);
}
