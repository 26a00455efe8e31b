using System.IO.Compression;
using System.Net;
using System.Security.Cryptography;
using Flurrty.UploadService.Tests.Fixtures;

namespace Flurrty.UploadService.Tests;

[Collection(UploadsCollection.Name)]
public sealed class PathTests(UploadsFixture uploads)
{
    [Fact]
    public async Task Photos_SealedAndAskedFor_BecomeADatasetZip()
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        var set = await caller.NewSetAsync();
        var (status, body) = await caller.AddAsync(
            set, ("a.jpg", TestPhotos.Jpeg(4000, 3000, 1)), ("b.png", TestPhotos.Png(900, 1200, 2)), ("c.webp", TestPhotos.Webp(1800, 1200, 3)));
        Assert.True(status == HttpStatusCode.Created, $"{status} {body}");
        Assert.Equal(3, body.GetProperty("photos").GetArrayLength());
        Assert.Equal(0, body.GetProperty("rejected").GetArrayLength());

        Assert.Equal(HttpStatusCode.Created, (await caller.ConsentAsync(set)).Status);
        var version = Guid.CreateVersion7();
        using var registry = uploads.AsService("registry", account);
        var (sealStatus, seal) = await registry.SealAsync(version, set, "ZORK");
        Assert.True(sealStatus == HttpStatusCode.OK, $"{sealStatus} {seal}");
        Assert.Equal(version, seal.GetProperty("seal_id").GetGuid());
        Assert.Equal(3, seal.GetProperty("photo_count").GetInt32());
        Assert.Equal(body.GetProperty("photos")[0].GetProperty("id").GetGuid(), seal.GetProperty("thumbnail_photo_id").GetGuid());

        await uploads.Listener.BuildAsync(account, version, revision: 7);
        var built = await uploads.Listener.WaitForBuiltAsync(version);
        Assert.Equal((account, 7L, 3), (built.AccountId, built.Revision, built.Photos));

        using var training = uploads.AsService("training", account);
        var (linkStatus, link) = await training.LookAsync($"/internal/datasets/{version}");
        Assert.True(linkStatus == HttpStatusCode.OK, $"{linkStatus} {link}");
        Assert.Equal("ZORK", link.GetProperty("trigger_word").GetString());
        using var plain = new HttpClient();
        var zip = await plain.GetByteArrayAsync(link.GetProperty("url").GetString());
        Assert.Equal(built.Bytes, zip.Length);
        Assert.Equal(built.Sha256, Convert.ToHexStringLower(SHA256.HashData(zip)));
        using var archive = new ZipArchive(new MemoryStream(zip));
        Assert.Equal(["001.jpg", "001.txt", "002.jpg", "002.txt", "003.jpg", "003.txt"], archive.Entries.Select(entry => entry.FullName));
        foreach (var entry in archive.Entries.Where(entry => entry.Name.EndsWith(".txt", StringComparison.Ordinal)))
        {
            using var reader = new StreamReader(await entry.OpenAsync());
            Assert.Equal("a photo of ZORK", await reader.ReadToEndAsync());
        }

        var photos = body.GetProperty("photos").EnumerateArray().Select(photo => photo.GetProperty("sha256").GetString()).Order(StringComparer.Ordinal).ToArray();
        var zipped = new List<string>();
        foreach (var entry in archive.Entries.Where(entry => entry.Name.EndsWith(".jpg", StringComparison.Ordinal)))
        {
            await using var content = await entry.OpenAsync();
            zipped.Add(Convert.ToHexStringLower(await SHA256.HashDataAsync(content)));
            Assert.Equal(entry.Length, entry.CompressedLength);
        }

        Assert.Equal(photos, zipped);
    }
}
