using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using Flurrty.RegistryService.Persistence;
using Flurrty.RegistryService.Versions;
using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Flurrty.RegistryService.Tests.Identities;

[Collection(RegistryCollection.Name)]
public sealed class ReadIdentityTests(RegistryFixture fixture)
{
    private static readonly byte[] File = RandomNumberGenerator.GetBytes(300_000);

    private readonly Guid _account = Guid.CreateVersion7();

    [Fact]
    public async Task Get_SomebodyElses_IsNotFound()
    {
        var identity = await CreateAsync();
        Assert.Equal(identity.Id(), (await Client().ShowAsync(identity.Id())).Id());
        foreach (var path in new[] { "", "/model" })
        {
            using var response = await fixture.Registry.ClientOf(Guid.CreateVersion7()).GetAsync(new Uri($"/api/identities/{identity.Id()}{path}", UriKind.Relative));
            Assert.Equal((404, "identity_not_found"), ((int)response.StatusCode, await response.CodeAsync()));
        }
    }

    [Theory]
    [InlineData("0193b5a0-0000-7000-8000-000000000001", "identity_not_found")]
    [InlineData("not-an-id", "not_found")]
    public async Task Get_UnknownId_IsNotFound(string id, string code)
    {
        using var response = await Client().GetAsync(new Uri($"/api/identities/{id}", UriKind.Relative));
        Assert.Equal((404, code), ((int)response.StatusCode, await response.CodeAsync()));
    }

    [Fact]
    public async Task Get_WithItsETag_IsNotModifiedUntilSomethingChanges()
    {
        var identity = await CreateAsync();
        using var first = await Client().GetAsync(new Uri($"/api/identities/{identity.Id()}", UriKind.Relative));
        var tag = first.Headers.ETag!;
        Assert.Equal(HttpStatusCode.NotModified, await StatusAsync(identity.Id(), tag));
        await ReportAsync(new TrainingReport(identity.VersionId(), 1, VersionStatus.Training) { Stage = "preparing", Progress = 5 });
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(identity.Id(), tag));
    }

    [Fact]
    public async Task List_PageByPage_GivesEachOfTheAccountOnceNewestFirst()
    {
        var created = new List<Guid>();
        for (var i = 0; i < 5; i++)
        {
            created.Add((await CreateAsync()).Id());
        }

        await fixture.Registry.ClientOf(Guid.CreateVersion7()).CreatedAsync(Body());
        var listed = new List<Guid>();
        string? cursor = null;
        do
        {
            var page = await Client().GetFromJsonAsync<JsonElement>($"/api/identities?limit=2{(cursor is null ? "" : $"&cursor={cursor}")}");
            Assert.InRange(page.GetProperty("items").GetArrayLength(), 1, 2);
            listed.AddRange(page.GetProperty("items").EnumerateArray().Select(item => item.Id()));
            cursor = page.Text("next_cursor");
        }
        while (cursor is not null);
        Assert.Equal(created.AsEnumerable().Reverse(), listed);
    }

    [Theory]
    [InlineData("limit=0", "invalid_limit")]
    [InlineData("limit=101", "invalid_limit")]
    [InlineData("limit=ten", "invalid_limit")]
    [InlineData("cursor=", "invalid_cursor")]
    [InlineData("cursor=!!", "invalid_cursor")]
    [InlineData("cursor=AAAA", "invalid_cursor")]
    public async Task List_WrongParameter_IsAProblem(string query, string code)
    {
        using var response = await Client().GetAsync(new Uri($"/api/identities?{query}", UriKind.Relative));
        Assert.Equal((400, code), ((int)response.StatusCode, await response.CodeAsync()));
    }

    [Fact]
    public async Task Model_BeforeItIsReady_IsAConflict()
    {
        var identity = await CreateAsync();
        using var response = await Client().GetAsync(ModelOf(identity));
        Assert.Equal((409, "model_not_ready"), ((int)response.StatusCode, await response.CodeAsync()));
    }

    [Fact]
    public async Task Model_Ready_IsDownloadedWholeOrInPart()
    {
        var identity = await ReadyAsync();
        using var whole = await Client().GetAsync(ModelOf(identity));
        Assert.Equal(HttpStatusCode.OK, whole.StatusCode);
        Assert.Equal(File, await whole.Content.ReadAsByteArrayAsync());
        Assert.Equal("dad-2-v1.safetensors", whole.Content.Headers.ContentDisposition!.FileName!.Trim('"'));
        Assert.Equal("attachment", whole.Content.Headers.ContentDisposition.DispositionType);
        Assert.Equal("bytes", Assert.Single(whole.Headers.AcceptRanges));
        Assert.Equal($"\"{Convert.ToHexStringLower(SHA256.HashData(File))}\"", whole.Headers.ETag!.Tag);

        using var request = new HttpRequestMessage(HttpMethod.Get, ModelOf(identity));
        request.Headers.Range = new RangeHeaderValue(1000, 1999);
        using var part = await Client().SendAsync(request);
        Assert.Equal(HttpStatusCode.PartialContent, part.StatusCode);
        Assert.Equal(File[1000..2000], await part.Content.ReadAsByteArrayAsync());
        Assert.Equal($"bytes 1000-1999/{File.Length}", part.Content.Headers.ContentRange!.ToString());

        using var beyond = new HttpRequestMessage(HttpMethod.Get, ModelOf(identity));
        beyond.Headers.Range = new RangeHeaderValue(File.Length, null);
        using var none = await Client().SendAsync(beyond);
        Assert.Equal((416, "range_not_satisfiable"), ((int)none.StatusCode, await none.CodeAsync()));

        using var head = new HttpRequestMessage(HttpMethod.Head, ModelOf(identity));
        using var size = await Client().SendAsync(head);
        Assert.Equal(File.Length, size.Content.Headers.ContentLength);
    }

    [Fact]
    public async Task Model_IfRangeOfAnotherModel_IsGivenWhole()
    {
        var identity = await ReadyAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, ModelOf(identity));
        request.Headers.Range = new RangeHeaderValue(0, 9);
        request.Headers.IfRange = new RangeConditionHeaderValue("\"other\"");
        using var response = await Client().SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(File.Length, (await response.Content.ReadAsByteArrayAsync()).Length);
    }

    [Fact]
    public async Task Model_KnownToTheCaller_IsNotModified()
    {
        var identity = await ReadyAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, ModelOf(identity));
        request.Headers.IfNoneMatch.Add(new EntityTagHeaderValue($"\"{identity.GetProperty("model").Text("sha256")}\""));
        using var response = await Client().SendAsync(request);
        Assert.Equal(HttpStatusCode.NotModified, response.StatusCode);
    }

    [Fact]
    public async Task Model_StoreOrServiceIsAway_AsksToComeBack()
    {
        var identity = await ReadyAsync();
        fixture.Training.Store = context =>
        {
            context.Response.StatusCode = StatusCodes.Status403Forbidden;
            return Task.CompletedTask;
        };
        await AssertAwayAsync(identity);
        fixture.Training.Handler = (context, _) => Problem.WriteAsync(context, Problem.Details(404, "model_not_found", "There is no such model.", "Check the id."));
        await AssertAwayAsync(identity);
        fixture.Training.Handler = (context, _) =>
        {
            context.Abort();
            return Task.CompletedTask;
        };
        await AssertAwayAsync(identity);
    }

    [Fact]
    public async Task Model_DownloadThatBreaksOff_IsSeenByTheCallerAsBroken()
    {
        var identity = await ReadyAsync();
        fixture.Training.Store = async context =>
        {
            context.Response.ContentLength = File.Length;
            await context.Response.Body.WriteAsync(File.AsMemory(0, 100_000));
            await context.Response.Body.FlushAsync();
            context.Abort();
        };
        await Assert.ThrowsAnyAsync<Exception>(() => Client().GetByteArrayAsync(ModelOf(identity)));
    }

    [Fact]
    public async Task Log_AfterADownload_HoldsNoPresignedUrl()
    {
        var identity = await ReadyAsync();
        await Client().GetByteArrayAsync(ModelOf(identity));
        fixture.Training.Store = static context =>
        {
            context.Abort();
            return Task.CompletedTask;
        };
        await AssertAwayAsync(identity);
        Assert.NotEmpty(fixture.Registry.Log);
        Assert.DoesNotContain(fixture.Registry.Log, line => line.Contains("capability", StringComparison.Ordinal));
    }

    private static Uri ModelOf(JsonElement identity) => new($"/api/identities/{identity.Id()}/model", UriKind.Relative);

    private static object Body() => new { name = "Dad #2", photo_set_id = Guid.CreateVersion7() };

    private HttpClient Client() => fixture.Registry.ClientOf(_account);

    private async Task<JsonElement> CreateAsync()
    {
        fixture.SealWith(4);
        return await Client().CreatedAsync(Body());
    }

    private async Task<JsonElement> ReadyAsync()
    {
        var identity = await CreateAsync();
        var sha256 = Convert.ToHexStringLower(SHA256.HashData(File));
        fixture.Training.Store = static context => Results.Bytes(File, enableRangeProcessing: true).ExecuteAsync(context);
        fixture.Training.Handler = (context, call) =>
        {
            Assert.Equal($"/internal/models/{identity.VersionId()}", call.Path);
            Assert.Equal(_account, call.Caller.AccountId);
            return context.Response.WriteAsJsonAsync(new
            {
                url = $"{fixture.Training.Address}/store/m.safetensors?X-Amz-Signature=capability",
                bytes = File.Length,
                sha256,
                file_name = "m.safetensors",
            });
        };
        await ReportAsync(new TrainingReport(identity.VersionId(), 9, VersionStatus.Ready) { Model = new TrainedModel(File.Length, sha256, DateTimeOffset.UnixEpoch) });
        var ready = await Client().ShowAsync(identity.Id());
        Assert.Equal("ready", ready.Text("status"));
        Assert.Equal($"/api/identities/{identity.Id()}/model", ready.Text("model_url"));
        return ready;
    }

    private async Task ReportAsync(TrainingReport report)
    {
        await using var scope = fixture.Registry.Services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<RegistryDbContext>();
        await db.AsAccountAsync(
            _account,
            async token =>
            {
                await scope.ServiceProvider.GetRequiredService<VersionProgress>().TakeAsync(db, report, token);
                await db.SaveChangesAsync(token);
            },
            CancellationToken.None);
    }

    private async Task<HttpStatusCode> StatusAsync(Guid id, EntityTagHeaderValue tag)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/identities/{id}");
        request.Headers.IfNoneMatch.Add(tag);
        using var response = await Client().SendAsync(request);
        return response.StatusCode;
    }

    private async Task AssertAwayAsync(JsonElement identity)
    {
        using var response = await Client().GetAsync(ModelOf(identity));
        Assert.Equal((503, "model_unavailable"), ((int)response.StatusCode, await response.CodeAsync()));
        Assert.True(response.Headers.RetryAfter?.Delta > TimeSpan.Zero, "Retry-After is missing.");
        Assert.Null(response.Headers.ETag);
    }
}
