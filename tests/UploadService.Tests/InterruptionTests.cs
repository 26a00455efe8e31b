using System.Net;
using Flurrty.NativeInfrastructure;
using Flurrty.UploadService.Persistence;
using Flurrty.UploadService.Tests.Fixtures;

namespace Flurrty.UploadService.Tests;

[Collection(UploadsCollection.Name)]
public sealed class InterruptionTests(UploadsFixture uploads)
{
    [Fact]
    public async Task Service_KilledInMidUpload_LeavesNoHalfPhotoAndNoChild()
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        var set = await caller.NewSetAsync();
        var files = Enumerable.Range(0, 12).Select(i => ($"{i}.jpg", TestPhotos.Jpeg(1600, 1200, 800 + i))).ToArray();
        var interrupted = 0;
        foreach (var milliseconds in new[] { 30, 80, 150, 250 })
        {
            await using var service = await ServiceProcess.StartAsync(uploads.Settings());
            using var client = uploads.As(account, service.Address);
            var children = ChildrenOf(service.Id);
            Assert.NotEmpty(children);
            var sending = client.AddAsync(set, files);
            await Task.Delay(milliseconds);
            await service.KillAsync();
            try
            {
                // A fast machine may have been done already.
                var (done, answer) = await sending;
                Assert.True(done == HttpStatusCode.Created, $"{done} {answer}");
            }
            catch (HttpRequestException)
            {
                interrupted++;
            }

            await Eventually.TrueAsync(() => Task.FromResult((!children.Any(child => Directory.Exists($"/proc/{child}")), $"alive: {string.Join(' ', children)}")));
            await uploads.EverythingMatchesAsync();
        }

        Assert.NotEqual(0, interrupted);

        // The same form again completes the set.
        var (status, body) = await caller.AddAsync(set, files);
        Assert.True(status == HttpStatusCode.Created && body.GetProperty("photos").GetArrayLength() == 12, $"{status} {body}");
        Assert.Equal(12, (await caller.LookAsync($"/api/photo-sets/{set}")).Body.GetProperty("photo_count").GetInt32());
        await uploads.EverythingMatchesAsync();
    }

    [Fact]
    public async Task Service_KilledWhileItJudgesWhatWasPut_LeavesNoHalfPhotoAndCanBeAskedAgain()
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        var photos = Enumerable.Range(0, 8).Select(i => TestPhotos.Jpeg(1600, 1200, 850 + i)).ToArray();
        foreach (var milliseconds in new[] { 30, 100, 200, 400 })
        {
            var set = await caller.NewSetAsync();
            var begun = await caller.BegunAsync(set, photos);
            Assert.All(await Task.WhenAll(begun.Zip(photos, (upload, photo) => upload.PutAsync(photo))), answer => Assert.Equal(HttpStatusCode.OK, answer));
            var tus = await caller.TusBegunAsync(set, photos[0].Length + 1L);
            await using var service = await ServiceProcess.StartAsync(uploads.Settings());
            using var client = uploads.As(account, service.Address);
            var completing = client.CompleteAllAsync(set);
            var sending = client.TusPatchAsync(tus, 0, photos[0]);
            await Task.Delay(milliseconds);
            await service.KillAsync();
            await Task.WhenAll(completing, sending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);

            // The survivor judges the rest; nothing is there twice.
            var (status, body) = await caller.CompleteAllAsync(set);
            Assert.True(status == HttpStatusCode.Created && body.GetProperty("photos").GetArrayLength() == photos.Length, $"{status} {body}");
            Assert.Equal(photos.Length, (await caller.LookAsync($"/api/photo-sets/{set}")).Body.GetProperty("photo_count").GetInt32());
            await uploads.EverythingMatchesAsync();
        }
    }

    [Fact]
    public async Task Service_KilledAndNobodyAsksAgain_LeavesNothingOfWhatWasPut()
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        var set = await caller.NewSetAsync();
        var photos = Enumerable.Range(0, 6).Select(i => TestPhotos.Jpeg(1600, 1200, 870 + i)).ToArray();
        var begun = await caller.BegunAsync(set, photos);
        Assert.All(await Task.WhenAll(begun.Zip(photos, (upload, photo) => upload.PutAsync(photo))), answer => Assert.Equal(HttpStatusCode.OK, answer));
        await using (var service = await ServiceProcess.StartAsync(uploads.Settings()))
        {
            using var client = uploads.As(account, service.Address);
            var completing = client.CompleteAllAsync(set);
            await Task.Delay(150);
            await service.KillAsync();
            await ((Task)completing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }

        Assert.Contains(await uploads.KeysAsync(), key => key.StartsWith("quarantine/", StringComparison.Ordinal));
        await uploads.EverythingMatchesAsync();
        Assert.DoesNotContain(await uploads.KeysAsync(), key => key.StartsWith("quarantine/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ImagingChildren_KilledWhileTheyDecodeWhatWasPut_CostOnePhotoEachAtMost()
    {
        var account = Guid.NewGuid();
        await using var service = await ServiceProcess.StartAsync(uploads.Settings());
        using var client = uploads.As(account, service.Address);
        var set = await client.NewSetAsync();
        var photos = Enumerable.Range(0, 8).Select(i => TestPhotos.Jpeg(3000, 2000, 880 + i)).ToArray();
        var begun = await client.BegunAsync(set, photos);
        Assert.All(await Task.WhenAll(begun.Zip(photos, (upload, photo) => upload.PutAsync(photo))), answer => Assert.Equal(HttpStatusCode.OK, answer));
        var completing = client.CompleteAllAsync(set);
        await Task.Delay(100);
        foreach (var child in ChildrenOf(service.Id))
        {
            try
            {
                using var process = System.Diagnostics.Process.GetProcessById(int.Parse(child, System.Globalization.CultureInfo.InvariantCulture));
                process.Kill();
            }
            catch (ArgumentException)
            {
                // Gone with its parent.
            }
        }

        var (status, body) = await completing;
        Assert.True(status is HttpStatusCode.Created or HttpStatusCode.ServiceUnavailable, $"{status} {body}");
        (status, body) = await client.CompleteAllAsync(set);
        Assert.True(status == HttpStatusCode.Created, $"{status} {body}");
        Assert.True(body.GetProperty("photos").GetArrayLength() + body.GetProperty("rejected").GetArrayLength() == photos.Length, $"{body}");
        await uploads.EverythingMatchesAsync();
    }

    [Fact]
    public async Task Dataset_WhoseBuilderIsKilled_IsBuiltByAnother()
    {
        // The other service takes what the killed one had claimed once its lease is over; that one is simulated by a claim that nobody works on.
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        using var registry = uploads.AsService("registry", account);
        var version = Guid.CreateVersion7();
        Assert.Equal(HttpStatusCode.OK, (await registry.SealAsync(version, await caller.NewSetWithPhotosAsync(3))).Status);
        _ = await StoreChecks.QueryAsync(
            uploads.Postgres.Superuser("uploads"),
            "UPDATE seals SET state = 'Requested', revision = 1, caused_by = gen_random_uuid(), claims = 1, claimed_until = clock_timestamp() + interval '3 seconds' WHERE id = $1",
            version);
        Assert.Equal(3, (await uploads.Listener.WaitForBuiltAsync(version)).Photos);
        await uploads.EverythingMatchesAsync();
    }

    [Fact]
    public async Task Store_GoneAndBack_IsAProblemMeanwhileAndNothingIsLost()
    {
        var account = Guid.NewGuid();
        await using var store = await NativeObjectStore.StartAsync("uploads");
        await using var service = await ServiceProcess.StartAsync(new Dictionary<string, string?>(uploads.Settings(), StringComparer.Ordinal)
        {
            ["ConnectionStrings:photos"] = store.For("uploads", "photos"),
        });
        using var client = uploads.As(account, service.Address);
        var set = await client.NewSetWithPhotosAsync(1, seed: 830);
        var (_, look) = await client.LookAsync($"/api/photo-sets/{set}");
        var thumbnail = look.GetProperty("photos")[0].GetProperty("thumbnail_url").GetString()!;
        Assert.Equal(HttpStatusCode.OK, await StatusOfAsync(client, thumbnail));

        var put = TestPhotos.Jpeg(320, 240, 822);
        var direct = Assert.Single(await client.BegunAsync(set, put));
        Assert.Equal(HttpStatusCode.OK, await direct.PutAsync(put));
        var large = TestPhotos.Png(1300, 1000, 823);
        var tus = await client.TusBegunAsync(set, large.Length);
        Assert.Equal(HttpStatusCode.NoContent, (await client.TusPatchAsync(tus, 0, large[..100_000])).Status);

        await store.StopAsync();
        var (completed, away) = await client.CompleteAsync(direct);
        Assert.True((completed, away.Code()) == (HttpStatusCode.ServiceUnavailable, "storage_unavailable"), $"{completed} {away}");
        var patched = await client.TusPatchAsync(tus, 100_000, large[100_000..]);
        Assert.True(patched.Status == HttpStatusCode.ServiceUnavailable && patched.Body.Code() == "storage_unavailable", $"{patched}");
        (string, byte[])[] more = [("a.jpg", TestPhotos.Jpeg(320, 240, 820)), ("b.jpg", TestPhotos.Jpeg(320, 240, 821))];
        var (status, problem) = await client.AddAsync(set, more);
        Assert.True((status, problem.Code()) == (HttpStatusCode.ServiceUnavailable, "storage_unavailable"), $"{status} {problem}");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusOfAsync(client, thumbnail));
        Assert.Equal(1, (await client.LookAsync($"/api/photo-sets/{set}")).Body.GetProperty("photo_count").GetInt32());

        await store.StartAgainAsync();
        Assert.Equal(HttpStatusCode.OK, await StatusOfAsync(client, thumbnail));
        (completed, away) = await client.CompleteAsync(direct);
        Assert.True(completed == HttpStatusCode.Created, $"{completed} {away}");
        var stood = (int)(await client.TusHeadAsync(tus)).Offset;
        Assert.InRange(stood, 100_000, large.Length - 1);
        patched = await client.TusPatchAsync(tus, stood, large[stood..]);
        Assert.True(patched.Status == HttpStatusCode.NoContent, $"{patched}");
        (status, problem) = await client.AddAsync(set, more);
        Assert.True(status == HttpStatusCode.Created && problem.GetProperty("photos").GetArrayLength() == 2, $"{status} {problem}");
        using var answer = await client.DeleteAsync($"/api/photo-sets/{set}");
        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
    }

    [Fact]
    public async Task Database_GoneAndBack_IsAProblemMeanwhile()
    {
        await using var postgres = await NativePostgres.StartAsync("uploads");
        await postgres.MigrateAsync<UploadsContext>("uploads", static options => new UploadsContext(options));
        await using var service = await ServiceProcess.StartAsync(new Dictionary<string, string?>(uploads.Settings(), StringComparer.Ordinal)
        {
            ["ConnectionStrings:uploads"] = postgres.App("uploads"),
            ["ConnectionStrings:uploads-dispatcher"] = postgres.Dispatcher("uploads"),
        });
        using var client = uploads.As(Guid.NewGuid(), service.Address);
        var set = await client.NewSetWithPhotosAsync(1, seed: 840);

        await postgres.StopAsync();
        foreach (var attempt in new[] { "pooled connection", "new connection" })
        {
            var (status, problem) = await client.LookAsync($"/api/photo-sets/{set}");
            Assert.True((status, problem.Code()) == (HttpStatusCode.ServiceUnavailable, "service_unavailable"), $"{attempt}: {status} {problem}");
        }

        var (sentStatus, sent) = await client.AddAsync(set, ("a.jpg", TestPhotos.Jpeg(320, 240, 841)));
        Assert.True((sentStatus, sent.Code()) == (HttpStatusCode.ServiceUnavailable, "service_unavailable"), $"{sentStatus} {sent}");

        await postgres.StartAgainAsync();
        await Eventually.TrueAsync(async () =>
        {
            var (status, body) = await client.LookAsync($"/api/photo-sets/{set}");
            return (status == HttpStatusCode.OK, $"{status} {body}");
        });
        using var answer = await client.DeleteAsync($"/api/photo-sets/{set}");
        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        await Eventually.TrueAsync(async () =>
        {
            var waiting = await StoreChecks.QueryAsync(postgres.Superuser("uploads"), "SELECT object_key FROM scheduled_removals");
            return (waiting.Count == 0, string.Join(' ', waiting));
        });
    }

    private static async Task<HttpStatusCode> StatusOfAsync(HttpClient client, string path)
    {
        using var answer = await client.GetAsync(path);
        return answer.StatusCode;
    }

    private static string[] ChildrenOf(int process)
    {
        var children = Directory.EnumerateDirectories($"/proc/{process}/task")
            .SelectMany(task => File.ReadAllText(Path.Combine(task, "children")).Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToArray();
        return [.. children, .. children.SelectMany(child => ChildrenOf(int.Parse(child, System.Globalization.CultureInfo.InvariantCulture)))];
    }
}
