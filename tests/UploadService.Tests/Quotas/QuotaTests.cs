using System.Net;
using Flurrty.UploadService.Tests.Fixtures;

namespace Flurrty.UploadService.Tests.Quotas;

[Collection(UploadsCollection.Name)]
public sealed class QuotaTests(UploadsFixture uploads)
{
    private const int MaxFiles = 10;

    [Fact]
    public async Task Files_SentByAllWaysAtOnce_NeverExceedTheQuota()
    {
        await using var service = await StartAsync(("Quotas:MaxFiles", $"{MaxFiles}"));
        using var caller = uploads.As(Guid.NewGuid(), service.Address);
        Guid[] sets = [await caller.NewSetAsync(), await caller.NewSetAsync(), await caller.NewSetAsync()];
        var photos = Enumerable.Range(0, 5).Select(i => TestPhotos.Jpeg(64, 64, 2000 + i)).ToArray();
        var begun = await caller.BegunAsync(sets[0], photos);
        Assert.All(await Task.WhenAll(begun.Zip(photos, (upload, photo) => upload.PutAsync(photo))), answer => Assert.Equal(HttpStatusCode.OK, answer));
        var resumed = TestPhotos.Jpeg(64, 64, 2050);
        var tus = await caller.TusBegunAsync(sets[0], resumed.Length);
        await CheckUsageAsync(caller, used: 0, pending: 6);

        var completing = caller.CompleteAllAsync(sets[0]);
        var resuming = caller.TusPatchAsync(tus, 0, resumed);
        var forms = sets.Skip(1).Select((set, n) => caller.AddAsync(set, [.. Enumerable.Range(0, 8).Select(i => ($"{i}.jpg", TestPhotos.Jpeg(64, 64, 2100 + (10 * n) + i)))]));
        var answers = (await Task.WhenAll(forms)).Append(await completing).ToArray();
        var rejected = answers.SelectMany(answer => answer.Body.GetProperty("rejected").EnumerateArray()).Select(Steps.Code).ToArray();
        var last = await resuming;
        if (last.Status != HttpStatusCode.NoContent)
        {
            rejected = [.. rejected, last.Body.Code()];
        }

        Assert.Equal(22 - MaxFiles, rejected.Length);
        Assert.All(rejected, code => Assert.Equal("quota_exceeded", code));
        await CheckUsageAsync(caller, used: MaxFiles, pending: 0);

        // A photo less makes room for one more.
        var (_, look) = await caller.LookAsync($"/api/photo-sets/{sets.Last()}");
        var (status, problem) = await caller.AddAsync(sets[1], ("more.jpg", TestPhotos.Jpeg(64, 64, 2200)));
        Assert.True((status, problem.Code()) == (HttpStatusCode.Conflict, "quota_exceeded"), $"{status} {problem}");
        Assert.Contains("/api/photo-sets/usage", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        var (began, refused) = await caller.BeginAsync(sets[0], DirectSteps.Promise(photos[0]));
        Assert.True((began, refused.Code()) == (HttpStatusCode.Conflict, "quota_exceeded"), $"{began} {refused}");
        var third = await caller.TusBeginAsync(sets[0], 100);
        Assert.True(third.Status == HttpStatusCode.Conflict && third.Body.Code() == "quota_exceeded", $"{third}");
        var gone = (await AllPhotosAsync(caller, sets))[0];
        using (var answer = await caller.DeleteAsync(gone))
        {
            Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        }

        Assert.Equal(HttpStatusCode.Created, (await caller.AddAsync(sets[1], ("more.jpg", TestPhotos.Jpeg(64, 64, 2200)))).Status);

        // Another account has a quota of its own.
        using var other = uploads.As(Guid.NewGuid(), service.Address);
        Assert.Equal(HttpStatusCode.Created, (await other.AddAsync(await other.NewSetAsync(), ("a.jpg", photos[0]))).Status);
        await CheckUsageAsync(other, used: 1, pending: 0);
        await uploads.EverythingMatchesAsync();
    }

    [Fact]
    public async Task Bytes_PromisedOrStored_CountAgainstTheQuota()
    {
        await using var service = await StartAsync(("Quotas:MaxBytes", "60000"));
        using var caller = uploads.As(Guid.NewGuid(), service.Address);
        var set = await caller.NewSetAsync();
        var (status, begun) = await caller.BeginAsync(set, new { name = "a.jpg", size = 50_000, sha256 = new string('a', 64) });
        Assert.True(status == HttpStatusCode.Created, $"{status} {begun}");
        (status, var problem) = await caller.BeginAsync(set, new { name = "b.jpg", size = 10_001, sha256 = new string('a', 64) });
        Assert.True((status, problem.Code()) == (HttpStatusCode.Conflict, "quota_exceeded"), $"{status} {problem}");
        using (var answer = await caller.DeleteAsync($"/api/photo-sets/{set}/uploads/{begun.GetProperty("uploads")[0].Id()}"))
        {
            Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        }

        (status, begun) = await caller.BeginAsync(set, new { name = "b.jpg", size = 10_001, sha256 = new string('a', 64) });
        Assert.True(status == HttpStatusCode.Created, $"{status} {begun}");
        (status, problem) = await caller.AddAsync(set, ("big.jpg", TestPhotos.Jpeg(2000, 1500, 2300)));
        Assert.True((status, problem.Code()) == (HttpStatusCode.Conflict, "quota_exceeded"), $"{status} {problem}");
        (status, problem) = await caller.AddAsync(set, ("small.jpg", TestPhotos.Jpeg(64, 64, 2301)));
        Assert.True(status == HttpStatusCode.Created, $"{status} {problem}");
        var bytes = (await caller.LookAsync("/api/photo-sets/usage")).Body.GetProperty("bytes");
        Assert.InRange(bytes.GetProperty("used").GetInt64(), 1, 60_000);
        Assert.Equal((10_001, 60_000), (bytes.GetProperty("pending").GetInt64(), bytes.GetProperty("limit").GetInt64()));
        await uploads.EverythingMatchesAsync();
    }

    [Fact]
    public async Task Promises_MadeAtOnce_NeverExceedTheQuota()
    {
        await using var service = await StartAsync(("Quotas:MaxFiles", $"{MaxFiles}"));
        using var caller = uploads.As(Guid.NewGuid(), service.Address);
        var sets = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => caller.NewSetAsync()));
        var answers = await Task.WhenAll(sets.Select(set => caller.BeginAsync(
            set, new { size = 100, sha256 = new string('a', 64) }, new { size = 100, sha256 = new string('b', 64) }, new { size = 100, sha256 = new string('c', 64) })));
        Assert.Equal(3, answers.Count(answer => answer.Status == HttpStatusCode.Created));
        Assert.All(answers.Where(answer => answer.Status != HttpStatusCode.Created), answer => Assert.Equal("quota_exceeded", answer.Body.Code()));
        await CheckUsageAsync(caller, used: 0, pending: 9);
    }

    private async Task<ServiceProcess> StartAsync(params (string Name, string Value)[] settings)
    {
        var all = new Dictionary<string, string?>(uploads.Settings(), StringComparer.Ordinal);
        foreach (var (name, value) in settings)
        {
            all[name] = value;
        }

        return await ServiceProcess.StartAsync(all);
    }

    private static async Task CheckUsageAsync(HttpClient caller, int used, int pending)
    {
        var (status, usage) = await caller.LookAsync("/api/photo-sets/usage");
        Assert.True(status == HttpStatusCode.OK, $"{status} {usage}");
        Assert.Equal((used, pending), (usage.GetProperty("files").GetProperty("used").GetInt32(), usage.GetProperty("files").GetProperty("pending").GetInt32()));
    }

    private static async Task<List<string>> AllPhotosAsync(HttpClient caller, Guid[] sets)
    {
        var all = new List<string>();
        foreach (var set in sets)
        {
            var (_, look) = await caller.LookAsync($"/api/photo-sets/{set}");
            all.AddRange(look.GetProperty("photos").EnumerateArray().Select(photo => $"/api/photo-sets/{set}/photos/{photo.GetProperty("id").GetGuid()}"));
        }

        return all;
    }
}
