using System.Net;
using Amazon.S3.Model;
using Flurrty.UploadService.Storage;
using Flurrty.UploadService.Tests.Fixtures;
using Microsoft.Extensions.DependencyInjection;

namespace Flurrty.UploadService.Tests.Storage;

[Collection(UploadsCollection.Name)]
public sealed class SweepTests(UploadsFixture uploads)
{
    private StoreAudit Audit => uploads.Services.GetRequiredService<StoreAudit>();

    [Fact]
    public async Task Objects_WithoutRow_GoAndThoseWithRowStay()
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        using var registry = uploads.AsService("registry", account);
        var set = await caller.NewSetWithPhotosAsync(3);
        var version = Guid.CreateVersion7();
        Assert.Equal(HttpStatusCode.OK, (await registry.SealAsync(version, set)).Status);
        await uploads.Listener.BuildAsync(account, version);
        _ = await uploads.Listener.WaitForBuiltAsync(version);
        var photo = TestPhotos.Jpeg(64, 64, 4000);
        var upload = Assert.Single(await caller.BegunAsync(set, photo));
        Assert.Equal(HttpStatusCode.OK, await upload.PutAsync(photo));
        var named = (await uploads.KeysAsync()).Where(key => key.Contains($"{account:n}", StringComparison.Ordinal)).ToArray();
        Assert.Equal(8, named.Length);
        string[] orphans =
        [
            $"{account:n}/{set:n}/{Guid.NewGuid():n}.jpg", $"{account:n}/{set:n}/{Guid.NewGuid():n}.thumbnail.jpg", $"{account:n}/datasets/{Guid.NewGuid():n}.zip",
            $"quarantine/{account:n}/{Guid.NewGuid():n}/photo", $"quarantine/{Guid.NewGuid():n}/{Guid.NewGuid():n}/00000-00000001",
        ];
        using (var store = uploads.Store.Open("uploads"))
        {
            foreach (var key in (string[])[.. orphans, "not-ours.txt"])
            {
                _ = await store.PutObjectAsync(new PutObjectRequest { BucketName = "photos", Key = key, ContentBody = "x" });
            }
        }

        Assert.Equal(orphans.Length, await Audit.FindOrphansAsync(CancellationToken.None));
        Assert.Equal(0, await Audit.FindOrphansAsync(CancellationToken.None));

        // Nothing goes before the grace is over.
        _ = await uploads.Services.GetRequiredService<RemovalSweeper>().SweepAsync(CancellationToken.None);
        Assert.Empty(orphans.Except(await uploads.KeysAsync(), StringComparer.Ordinal));
        _ = await StoreChecks.QueryAsync(uploads.Postgres.Superuser("uploads"), "UPDATE scheduled_removals SET due_at = clock_timestamp() WHERE object_key = ANY($1)", (object)orphans);
        await Eventually.TrueAsync(async () =>
        {
            _ = await uploads.Services.GetRequiredService<RemovalSweeper>().SweepAsync(CancellationToken.None);
            var still = orphans.Intersect(await uploads.KeysAsync(), StringComparer.Ordinal).ToArray();
            return (still.Length == 0, string.Join(' ', still));
        });
        var left = await uploads.KeysAsync();
        Assert.Empty(named.Except(left, StringComparer.Ordinal));
        Assert.Contains("not-ours.txt", left);
        using (var store = uploads.Store.Open("uploads"))
        {
            _ = await store.DeleteObjectAsync("photos", "not-ours.txt");
        }

        Assert.Equal(HttpStatusCode.Created, (await caller.CompleteAsync(upload)).Status);
        await uploads.EverythingMatchesAsync();
    }

    [Fact]
    public async Task Row_WhoseObjectStaysMissing_IsGivenUpAndItsTwinStays()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetWithPhotosAsync(3, seed: 4100);
        var (_, look) = await caller.LookAsync($"/api/photo-sets/{set}");
        var photos = look.GetProperty("photos").EnumerateArray().Select(photo => photo.GetProperty("id").GetGuid()).ToArray();
        using var store = uploads.Store.Open("uploads");
        string KeyOf(Guid photo) => uploads.KeysAsync().GetAwaiter().GetResult().Single(key => key.EndsWith($"{photo:n}.jpg", StringComparison.Ordinal));
        var (lost, back) = (KeyOf(photos[0]), KeyOf(photos[1]));
        var bytes = await uploads.ObjectAsync(back);
        _ = await store.DeleteObjectAsync("photos", lost);
        _ = await store.DeleteObjectAsync("photos", back);

        await LookAgainAsync();
        Assert.Equal(3, await CountAsync());
        _ = await store.PutObjectAsync(new PutObjectRequest { BucketName = "photos", Key = back, InputStream = new MemoryStream(bytes) });
        await LookAgainAsync();
        Assert.Equal(3, await CountAsync());

        _ = await QueryAsync("UPDATE photos SET missing_since = missing_since - interval '25 hours' WHERE photo_set_id = $1", set);
        await LookAgainAsync();
        await Eventually.TrueAsync(async () => (await CountAsync() == 2, "another number of photos"));
        await uploads.EverythingMatchesAsync();
        Assert.Equal(photos[1..], (await caller.LookAsync($"/api/photo-sets/{set}")).Body.GetProperty("photos").EnumerateArray().Select(photo => photo.GetProperty("id").GetGuid()));

        async Task<int> CountAsync() => (await caller.LookAsync($"/api/photo-sets/{set}")).Body.GetProperty("photo_count").GetInt32();
        async Task LookAgainAsync()
        {
            _ = await QueryAsync("UPDATE photos SET checked_at = clock_timestamp() - interval '30 days' WHERE photo_set_id = $1", set);
            _ = await Audit.FindLostPhotosAsync(CancellationToken.None);
        }
    }

    [Fact]
    public async Task Thumbnail_ThatIsMissing_IsMadeAnewAndTheOthersStay()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetWithPhotosAsync(2, seed: 4150);
        var keys = (await uploads.KeysAsync()).Where(key => key.Contains($"{set:n}", StringComparison.Ordinal) && key.Contains("thumbnail", StringComparison.Ordinal)).ToArray();
        Assert.Equal(2, keys.Length);
        var (before, other) = (await uploads.ObjectAsync(keys[0]), await uploads.ObjectAsync(keys[1]));
        using var store = uploads.Store.Open("uploads");
        _ = await store.DeleteObjectAsync("photos", keys[0]);
        Assert.DoesNotContain(keys[0], await uploads.KeysAsync());

        _ = await QueryAsync("UPDATE photos SET checked_at = clock_timestamp() - interval '30 days' WHERE photo_set_id = $1", set);
        _ = await Audit.FindLostPhotosAsync(CancellationToken.None);
        var made = await uploads.ObjectAsync(keys[0]);
        Assert.Equal([0xFF, 0xD8, 0xFF], made[..3]);
        Assert.InRange(made.Length, before.Length / 2, before.Length * 2);
        Assert.Equal(other, await uploads.ObjectAsync(keys[1]));
        await uploads.EverythingMatchesAsync();
    }

    [Fact]
    public async Task Rows_WhoseObjectsAreMostlyMissing_AreKept()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetWithPhotosAsync(12, seed: 4200);
        var keys = (await uploads.KeysAsync()).Where(key => key.Contains($"{set:n}", StringComparison.Ordinal) && !key.Contains("thumbnail", StringComparison.Ordinal)).ToArray();
        var kept = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        using var store = uploads.Store.Open("uploads");
        foreach (var key in keys)
        {
            kept[key] = await uploads.ObjectAsync(key);
            _ = await store.DeleteObjectAsync("photos", key);
        }

        for (var i = 0; i < 2; i++)
        {
            _ = await QueryAsync("UPDATE photos SET checked_at = clock_timestamp() - interval '30 days', missing_since = clock_timestamp() - interval '30 days' WHERE photo_set_id = $1", set);
            _ = await Audit.FindLostPhotosAsync(CancellationToken.None);
        }

        Assert.Equal(12, (await caller.LookAsync($"/api/photo-sets/{set}")).Body.GetProperty("photo_count").GetInt32());
        foreach (var (key, bytes) in kept)
        {
            _ = await store.PutObjectAsync(new PutObjectRequest { BucketName = "photos", Key = key, InputStream = new MemoryStream(bytes) });
        }

        await uploads.EverythingMatchesAsync();
    }

    [Fact]
    public async Task Dataset_ThatNobodyReleased_GoesAfterALongTimeAndIsBuiltAnewWhenAskedFor()
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        using var registry = uploads.AsService("registry", account);
        Guid[] versions = [Guid.CreateVersion7(), Guid.CreateVersion7()];
        foreach (var version in versions)
        {
            Assert.Equal(HttpStatusCode.OK, (await registry.SealAsync(version, await caller.NewSetWithPhotosAsync(3, seed: version == versions[0] ? 4300 : 4310))).Status);
            await uploads.Listener.BuildAsync(account, version);
            _ = await uploads.Listener.WaitForBuiltAsync(version);
        }

        var expiry = uploads.Services.GetRequiredService<ExpirySweeper>();
        Assert.Equal(0, await expiry.ReleaseDatasetsAsync(CancellationToken.None));
        _ = await QueryAsync("UPDATE seals SET built_at = built_at - interval '15 days' WHERE id = $1", versions[0]);
        _ = await expiry.ReleaseDatasetsAsync(CancellationToken.None);
        await uploads.WaitForKeysAsync($"{account:n}/datasets/", 1);
        using var training = uploads.AsService("training", account);
        Assert.Equal(HttpStatusCode.NotFound, (await training.LookAsync($"/internal/datasets/{versions[0]}")).Status);
        Assert.Equal(HttpStatusCode.OK, (await training.LookAsync($"/internal/datasets/{versions[1]}")).Status);
        await uploads.Listener.BuildAsync(account, versions[0], revision: 2);
        _ = await uploads.Listener.WaitForBuiltAsync(versions[0], nth: 2);
        Assert.Equal(0, await expiry.ReleaseDatasetsAsync(CancellationToken.None));
        await uploads.EverythingMatchesAsync();
    }

    private Task<List<string>> QueryAsync(string sql, params object[] parameters) => StoreChecks.QueryAsync(uploads.Postgres.Superuser("uploads"), sql, parameters);
}
