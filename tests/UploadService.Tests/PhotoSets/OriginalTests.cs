using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Flurrty.UploadService.Tests.Fixtures;

namespace Flurrty.UploadService.Tests.PhotoSets;

[Collection(UploadsCollection.Name)]
public sealed class OriginalTests(UploadsFixture uploads)
{
    [Fact]
    public async Task Original_OfASetThatKeepsThem_IsReadByItsOwnerAloneAndCounted()
    {
        using var caller = uploads.As(Guid.NewGuid());
        using var stranger = uploads.As(Guid.NewGuid());
        var set = await StartAsync(caller, keepOriginals: true);
        var form = TestPhotos.WithMetadata(TestPhotos.Jpeg(800, 600, 6100), "-GPSLatitude=48.8584", "-GPSLatitudeRef=N", "-Artist=Jane Roe");
        var direct = TestPhotos.Jpeg(800, 600, 6101);
        var (status, body) = await caller.AddAsync(set, ("form.jpg", form));
        Assert.True(status == HttpStatusCode.Created, $"{status} {body}");
        var upload = Assert.Single(await caller.BegunAsync(set, direct));
        Assert.Equal(HttpStatusCode.OK, await upload.PutAsync(direct));
        Assert.Equal(HttpStatusCode.Created, (await caller.CompleteAsync(upload)).Status);

        var photos = (await caller.LookAsync($"/api/photo-sets/{set}")).Body.GetProperty("photos").EnumerateArray().ToArray();
        foreach (var (photo, sent) in photos.Zip([form, direct]))
        {
            var address = photo.GetProperty("original_url").GetString()!;
            using var answer = await caller.GetAsync(address);
            Assert.Equal((HttpStatusCode.OK, "image/jpeg", "attachment"), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType, answer.Content.Headers.ContentDisposition?.DispositionType));
            Assert.Equal(sent, await answer.Content.ReadAsByteArrayAsync());
            Assert.Equal((HttpStatusCode.NotFound, "photo_not_found"), await RefusalAsync(stranger, address));
        }

        // What is shown and trained on is without metadata all the same.
        Assert.Contains(TestPhotos.ReadMetadata(form), line => line.Contains("Jane Roe", StringComparison.Ordinal));
        var content = await caller.GetByteArrayAsync($"/api/photo-sets/{set}/photos/{photos[0].GetProperty("id").GetGuid()}/content");
        Assert.DoesNotContain(TestPhotos.ReadMetadata(content), line => line.Contains("Jane", StringComparison.Ordinal) || line.Contains("GPSLatitude", StringComparison.Ordinal));

        var stored = (await uploads.KeysAsync()).Where(key => key.Contains($"{set:n}", StringComparison.Ordinal)).ToArray();
        Assert.Equal(6, stored.Length);
        var bytes = 0L;
        foreach (var key in stored)
        {
            bytes += (await uploads.ObjectAsync(key)).Length;
        }

        Assert.Equal(bytes, (await caller.LookAsync("/api/photo-sets/usage")).Body.GetProperty("bytes").GetProperty("used").GetInt64());
        await uploads.EverythingMatchesAsync();
    }

    [Fact]
    public async Task Original_WithItsPhotoOrItsSet_Goes()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await StartAsync(caller, keepOriginals: true);
        var (_, body) = await caller.AddAsync(set, ("a.jpg", TestPhotos.Jpeg(320, 240, 6110)), ("b.jpg", TestPhotos.Jpeg(320, 240, 6111)), ("no.jpg", "no picture"u8.ToArray()));
        var photos = body.GetProperty("photos").EnumerateArray().Select(photo => photo.GetProperty("id").GetGuid()).ToArray();
        Assert.Equal(2, photos.Length);
        await uploads.WaitForKeysAsync($"{set:n}", 6);
        Assert.Equal(HttpStatusCode.NoContent, (await caller.DeleteAsync($"/api/photo-sets/{set}/photos/{photos[0]}")).StatusCode);
        await uploads.WaitForKeysAsync($"{set:n}", 3);
        Assert.Equal(HttpStatusCode.NoContent, (await caller.DeleteAsync($"/api/photo-sets/{set}")).StatusCode);
        await uploads.WaitForKeysAsync($"{set:n}", 0);
        await uploads.EverythingMatchesAsync();
    }

    [Fact]
    public async Task Original_OfAnOrdinarySet_IsNotKept()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetWithPhotosAsync(1, seed: 6120);
        var look = (await caller.LookAsync($"/api/photo-sets/{set}")).Body;
        Assert.False(look.GetProperty("keep_originals").GetBoolean());
        var photo = Assert.Single(look.GetProperty("photos").EnumerateArray());
        Assert.Equal(JsonValueKind.Null, photo.GetProperty("original_url").ValueKind);
        Assert.Equal((HttpStatusCode.NotFound, "original_not_kept"), await RefusalAsync(caller, $"/api/photo-sets/{set}/photos/{photo.GetProperty("id").GetGuid()}/original"));
        Assert.DoesNotContain(await uploads.KeysAsync(), key => key.Contains($"{set:n}", StringComparison.Ordinal) && key.EndsWith(".original", StringComparison.Ordinal));
    }

    private static async Task<(HttpStatusCode Status, string Code)> RefusalAsync(HttpClient caller, string path)
    {
        var (status, problem) = await caller.LookAsync(path);
        return (status, problem.Code());
    }

    private static async Task<Guid> StartAsync(HttpClient caller, bool keepOriginals)
    {
        using var answer = await caller.PostAsJsonAsync("/api/photo-sets", new { name = "kept", keep_originals = keepOriginals });
        var (status, body) = await answer.ReadAsync();
        Assert.True(status == HttpStatusCode.Created && body.GetProperty("keep_originals").GetBoolean() == keepOriginals, $"{status} {body}");
        return body.GetProperty("id").GetGuid();
    }
}
