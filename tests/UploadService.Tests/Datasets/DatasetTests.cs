using System.IO.Compression;
using System.Net;
using System.Net.Http.Json;
using Flurrty.UploadService.Tests.Fixtures;

namespace Flurrty.UploadService.Tests.Datasets;

[Collection(UploadsCollection.Name)]
public sealed class DatasetTests(UploadsFixture uploads)
{
    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public async Task Seal_OfTooFewPhotos_IsRefused(int photos)
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        using var registry = uploads.AsService("registry", account);
        var set = photos == 0 ? await caller.NewSetAsync() : await caller.NewSetWithPhotosAsync(photos);
        var (status, problem) = await registry.SealAsync(Guid.CreateVersion7(), set);
        Assert.True((status, problem.Code()) == (HttpStatusCode.UnprocessableEntity, "too_few_photos"), $"{status} {problem}");
        Assert.Contains($"has {photos}", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Seal_Repeated_GivesTheSameAnswerAndAnotherSetIsAConflict()
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        using var registry = uploads.AsService("registry", account);
        var set = await caller.NewSetWithPhotosAsync(3);
        var other = await caller.NewSetWithPhotosAsync(3);
        var version = Guid.CreateVersion7();
        var (firstStatus, first) = await registry.SealAsync(version, set);
        Assert.Equal(HttpStatusCode.OK, firstStatus);
        var (_, added) = await caller.AddAsync(set, ("more.jpg", TestPhotos.Jpeg(320, 240, 777)));
        Assert.Equal(1, added.GetProperty("photos").GetArrayLength());
        var (againStatus, again) = await registry.SealAsync(version, set);
        Assert.Equal((firstStatus, first.ToString()), (againStatus, again.ToString()));
        var (conflictStatus, conflict) = await registry.SealAsync(version, other);
        Assert.True((conflictStatus, conflict.Code()) == (HttpStatusCode.Conflict, "seal_conflict"), $"{conflictStatus} {conflict}");
    }

    [Fact]
    public async Task Seal_OfTwoSetsAtOnceUnderOneId_IsOneSealAndConflicts()
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        using var registry = uploads.AsService("registry", account);
        Guid[] sets = [await caller.NewSetWithPhotosAsync(3), await caller.NewSetWithPhotosAsync(4)];
        for (var round = 0; round < 5; round++)
        {
            var version = Guid.CreateVersion7();
            var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => registry.SealAsync(version, sets[i % 2])));
            Assert.All(answers, answer => Assert.True(answer.Status == HttpStatusCode.OK || answer.Body.Code() == "seal_conflict", $"{answer.Status} {answer.Body}"));
            Assert.Single(answers.Where(answer => answer.Status == HttpStatusCode.OK).Select(answer => answer.Body.ToString()).Distinct(StringComparer.Ordinal));
        }
    }

    [Fact]
    public async Task Seal_OfSomebodyElsesSet_IsNotFound()
    {
        using var owner = uploads.As(Guid.NewGuid());
        var set = await owner.NewSetWithPhotosAsync(3);
        using var registry = uploads.AsService("registry", Guid.NewGuid());
        var (status, problem) = await registry.SealAsync(Guid.CreateVersion7(), set);
        Assert.True((status, problem.Code()) == (HttpStatusCode.NotFound, "photo_set_not_found"), $"{status} {problem}");
    }

    [Fact]
    public async Task InternalAddresses_ForAUserOrTheWrongService_AreForbidden()
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        var set = await caller.NewSetWithPhotosAsync(3);
        using var training = uploads.AsService("training", account);
        using var registry = uploads.AsService("registry", account);
        foreach (var client in new[] { caller, training })
        {
            var (status, _) = await client.SealAsync(Guid.CreateVersion7(), set);
            Assert.Equal(HttpStatusCode.Forbidden, status);
        }

        foreach (var client in new[] { caller, registry })
        {
            Assert.Equal(HttpStatusCode.Forbidden, (await client.LookAsync($"/internal/datasets/{Guid.NewGuid()}")).Status);
        }
    }

    [Fact]
    public async Task BuildDataset_Repeated_ReportsTheSameDatasetAgain()
    {
        var (account, version) = await SealedAsync(3);
        await uploads.Listener.BuildAsync(account, version, revision: 1);
        var first = await uploads.Listener.WaitForBuiltAsync(version);
        await uploads.Listener.BuildAsync(account, version, revision: 2);
        var second = await uploads.Listener.WaitForBuiltAsync(version, nth: 2);
        Assert.Equal((1L, 2L), (first.Revision, second.Revision));
        Assert.Equal((first.Sha256, first.Bytes, first.Photos), (second.Sha256, second.Bytes, second.Photos));
        Assert.Single(await DatasetsOfAsync(account));
    }

    [Fact]
    public async Task TwoVersions_OfTheSamePhotos_ShareOneObjectUntilTheLastIsReleased()
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        using var registry = uploads.AsService("registry", account);
        var set = await caller.NewSetWithPhotosAsync(4);
        var versions = new[] { Guid.CreateVersion7(), Guid.CreateVersion7() };
        foreach (var version in versions)
        {
            Assert.Equal(HttpStatusCode.OK, (await registry.SealAsync(version, set)).Status);
            await uploads.Listener.BuildAsync(account, version);
        }

        var hashes = new List<string>();
        foreach (var version in versions)
        {
            hashes.Add((await uploads.Listener.WaitForBuiltAsync(version)).Sha256);
        }

        Assert.Single(hashes.Distinct(StringComparer.Ordinal));
        Assert.Single(await DatasetsOfAsync(account));
        await uploads.EverythingMatchesAsync();
        await uploads.WaitForKeysAsync($"{account:n}/datasets/", 1);

        using var training = uploads.AsService("training", account);
        await uploads.Listener.ReleaseAsync(account, versions[0]);
        await Eventually.TrueAsync(async () =>
        {
            var (status, body) = await training.LookAsync($"/internal/datasets/{versions[0]}");
            return (status == HttpStatusCode.NotFound, $"{status} {body}");
        });
        Assert.Equal(HttpStatusCode.OK, (await training.LookAsync($"/internal/datasets/{versions[1]}")).Status);
        await uploads.EverythingMatchesAsync();
        await uploads.WaitForKeysAsync($"{account:n}/datasets/", 1);

        await uploads.Listener.ReleaseAsync(account, versions[1]);
        await uploads.WaitForKeysAsync($"{account:n}/datasets/", 0);

        // A retrain builds it anew, byte for byte.
        await uploads.Listener.BuildAsync(account, versions[0], revision: 3);
        Assert.Equal(hashes[0], (await uploads.Listener.WaitForBuiltAsync(versions[0], nth: 2)).Sha256);
    }

    [Fact]
    public async Task Dataset_OfPhotosThatWereDeletedAfterTheSeal_IsBuilt()
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        using var registry = uploads.AsService("registry", account);
        var set = await caller.NewSetWithPhotosAsync(3);
        var version = Guid.CreateVersion7();
        Assert.Equal(HttpStatusCode.OK, (await registry.SealAsync(version, set)).Status);
        using (var answer = await caller.DeleteAsync($"/api/photo-sets/{set}"))
        {
            Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        }

        await uploads.EverythingMatchesAsync();
        await uploads.Listener.BuildAsync(account, version);
        Assert.Equal(3, (await uploads.Listener.WaitForBuiltAsync(version)).Photos);
    }

    [Fact]
    public async Task Dataset_OfAnUnknownSeal_IsRefused()
    {
        var version = Guid.CreateVersion7();
        await uploads.Listener.BuildAsync(Guid.NewGuid(), version);
        Assert.Equal("seal_not_found", (await uploads.Listener.WaitForRefusedAsync(version)).Code);
    }

    [Theory]
    [InlineData("delete", "photo_missing")]
    [InlineData("damage", "photo_damaged")]
    [InlineData("shorten", "photo_damaged")]
    public async Task Dataset_WhoseStoredPhotoIsLost_IsRefusedAndLeavesNothing(string how, string code)
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        using var registry = uploads.AsService("registry", account);
        var set = await caller.NewSetWithPhotosAsync(3);
        var version = Guid.CreateVersion7();
        Assert.Equal(HttpStatusCode.OK, (await registry.SealAsync(version, set)).Status);
        var key = (await uploads.KeysAsync()).First(found => found.Contains($"{set:n}", StringComparison.Ordinal) && !found.Contains("thumbnail", StringComparison.Ordinal));
        var bytes = await uploads.ObjectAsync(key);
        using (var client = uploads.Store.Open("uploads"))
        {
            if (string.Equals(how, "delete", StringComparison.Ordinal))
            {
                _ = await client.DeleteObjectAsync("photos", key);
            }
            else
            {
                bytes[bytes.Length / 2] ^= 0xFF;
                var changed = string.Equals(how, "damage", StringComparison.Ordinal) ? bytes : bytes[..^10];
                _ = await client.PutObjectAsync(new Amazon.S3.Model.PutObjectRequest { BucketName = "photos", Key = key, InputStream = new MemoryStream(changed) });
            }
        }

        await uploads.Listener.BuildAsync(account, version);
        Assert.Equal(code, (await uploads.Listener.WaitForRefusedAsync(version)).Code);
        await uploads.WaitForKeysAsync($"{account:n}/datasets/", 0);
        using (var answer = await caller.DeleteAsync($"/api/photo-sets/{set}"))
        {
            Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        }

        // The seal still names the lost object; with it gone the other tests see a store in order.
        _ = await StoreChecks.QueryAsync(
            uploads.Postgres.Superuser("uploads"),
            """
            WITH objects AS (SELECT account_id, object_key FROM sealed_photos WHERE seal_id = $1), gone AS (DELETE FROM seals WHERE id = $1)
            INSERT INTO scheduled_removals (id, account_id, object_key, due_at) SELECT gen_random_uuid(), account_id, object_key, now() FROM objects
            """,
            version);
    }

    [Fact]
    public async Task Caption_WrittenByThePerson_IsInTheZipWithTheTrigger()
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        using var registry = uploads.AsService("registry", account);
        var set = await caller.NewSetWithPhotosAsync(3);
        var (_, look) = await caller.LookAsync($"/api/photo-sets/{set}");
        var photos = look.GetProperty("photos").EnumerateArray().Select(photo => photo.GetProperty("id").GetGuid()).ToArray();
        foreach (var (photo, caption) in photos.Zip(new[] { "{trigger} on a bicycle", "laughing in the rain" }))
        {
            using var answer = await caller.PatchAsJsonAsync($"/api/photo-sets/{set}/photos/{photo}", new { caption });
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        var version = Guid.CreateVersion7();
        Assert.Equal(HttpStatusCode.OK, (await registry.SealAsync(version, set, "ZORK")).Status);
        await uploads.Listener.BuildAsync(account, version);
        _ = await uploads.Listener.WaitForBuiltAsync(version);
        using var training = uploads.AsService("training", account);
        var (_, link) = await training.LookAsync($"/internal/datasets/{version}");
        using var plain = new HttpClient();
        using var archive = new ZipArchive(new MemoryStream(await plain.GetByteArrayAsync(link.GetProperty("url").GetString())));
        var captions = new List<string>();
        foreach (var entry in archive.Entries.Where(entry => entry.Name.EndsWith(".txt", StringComparison.Ordinal)))
        {
            using var reader = new StreamReader(await entry.OpenAsync());
            captions.Add(await reader.ReadToEndAsync());
        }

        Assert.Equal(["ZORK on a bicycle", "ZORK, laughing in the rain", "a photo of ZORK"], captions.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task ReleaseDataset_OfAnOlderRevision_IsIgnored()
    {
        var (account, version) = await SealedAsync(3);
        await uploads.Listener.BuildAsync(account, version, revision: 5);
        _ = await uploads.Listener.WaitForBuiltAsync(version);
        await uploads.Listener.ReleaseAsync(account, version, revision: 4);
        await uploads.Listener.BuildAsync(account, version, revision: 6);
        _ = await uploads.Listener.WaitForBuiltAsync(version, nth: 2);
        Assert.Single(await DatasetsOfAsync(account));
    }

    private async Task<(Guid Account, Guid Version)> SealedAsync(int photos)
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        using var registry = uploads.AsService("registry", account);
        var version = Guid.CreateVersion7();
        var (status, body) = await registry.SealAsync(version, await caller.NewSetWithPhotosAsync(photos));
        Assert.True(status == HttpStatusCode.OK, $"{status} {body}");
        return (account, version);
    }

    private Task<List<string>> DatasetsOfAsync(Guid account) =>
        StoreChecks.QueryAsync(uploads.Postgres.Superuser("uploads"), "SELECT id FROM datasets WHERE account_id = $1", account);
}
