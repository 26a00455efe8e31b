using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Flurrty.Sandbox.Tests.Support;

namespace Flurrty.Sandbox.Tests;

public sealed class FilesTests
{
    [Fact]
    public async Task Upload_OfAZip_AnswersWithItsChecksumsAndExpiry()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        byte[] zip = Zips.Photos(3);

        var created = await sandbox.Replicate.UploadAsync(zip, "my photos.zip", metadata: new JsonObject { ["attempt"] = 7 });

        Assert.Equal(201, created.Status);
        Assert.Equal("application/json; charset=UTF-8", created.ContentType);
        var file = created.Json;
        Assert.Equal(["id", "name", "content_type", "size", "etag", "checksums", "metadata", "created_at", "expires_at", "urls"], file.AsObject().Select(field => field.Key));
        string id = (string)file["id"]!;
        Assert.True(Guid.TryParse(Encoding.ASCII.GetString(Convert.FromBase64String(id)), out _), id);
        Assert.Equal("my photos.zip", (string?)file["name"]);
        Assert.Equal("application/zip", (string?)file["content_type"]);
        Assert.Equal(zip.Length, (long)file["size"]!);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(zip)), (string?)file["checksums"]!["sha256"]);
        Assert.Equal(7, (int)file["metadata"]!["attempt"]!);
        Assert.Equal($"{sandbox.Replicate.Origin}/v1/files/{id}", (string?)file["urls"]!["get"]);
        Assert.Equal(TimeSpan.FromHours(24), DateTimeOffset.Parse((string)file["expires_at"]!) - DateTimeOffset.Parse((string)file["created_at"]!));

        var again = await sandbox.Replicate.GetAsync($"/v1/files/{id}");
        Assert.Equal(created.Text, again.Text);
        Assert.False(again.Headers.Contains("ratelimit-remaining"));
    }

    [Fact]
    public async Task Upload_Of100Megabytes_IsRefusedWith413()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        using var zeros = new StreamContent(new MemoryStream(new byte[100_000_000], writable: false));

        var refused = await sandbox.Replicate.UploadAsync(zeros);

        Assert.Equal(413, refused.Status);
        Assert.Equal("application/problem+json", refused.ContentType);
        Assert.Equal("Files must be less than 100MB in size", (string?)refused["detail"]);
        Assert.Empty((await sandbox.Replicate.GetAsync("/v1/files"))["results"]!.AsArray());
        Assert.Empty(Directory.GetFiles(Path.Combine(sandbox.DataDirectory, "replicate", "files")));
    }

    [Fact]
    public async Task Upload_WithoutContent_IsRefusedWith400()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        using var form = new MultipartFormDataContent { { new StringContent("{}"), "metadata" } };

        var missing = await sandbox.Replicate.SendAsync(HttpMethod.Post, "/v1/files", content: form);
        var json = await sandbox.Replicate.PostAsync("/v1/files", new JsonObject());
        using var broken = new StringContent("--b\r\nContent-Disposition: form-data; name=\"content\"; filename=\"x\"\r\n\r\nabc");
        broken.Headers.ContentType = new("multipart/form-data") { Parameters = { new("boundary", "b") } };
        var cut = await sandbox.Replicate.SendAsync(HttpMethod.Post, "/v1/files", content: broken);

        Assert.Equal([400, 400, 400], [missing.Status, json.Status, cut.Status]);
    }

    [Fact]
    public async Task File_OfAnotherAccount_IsNotFound()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        string id = (string)(await sandbox.Replicate.UploadAsync(Zips.Photos(3)))["id"]!;

        var read = await sandbox.Replicate.GetAsync($"/v1/files/{id}", ReplicateDriver.OtherToken);
        var deleted = await sandbox.Replicate.SendAsync(HttpMethod.Delete, $"/v1/files/{id}", token: ReplicateDriver.OtherToken);

        Assert.Equal([404, 404], [read.Status, deleted.Status]);
        Assert.Equal("File not found", (string?)read["detail"]);
        Assert.Equal(200, (await sandbox.Replicate.GetAsync($"/v1/files/{id}")).Status);
    }

    [Fact]
    public async Task Delete_OfAFile_RevokesItsSignedLink()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        byte[] zip = Zips.Photos(3);
        var file = await sandbox.Replicate.UploadAsync(zip);
        await sandbox.Replicate.CreateModelAsync();
        var created = await sandbox.Replicate.TrainAsync(new JsonObject { ["input_images"] = file["urls"]!["get"]!.DeepClone() });
        string link = (string)created["input"]!["input_images"]!;

        var before = await sandbox.Replicate.GetAsync(link, token: null);
        var deleted = await sandbox.Replicate.SendAsync(HttpMethod.Delete, $"/v1/files/{file["id"]}");
        var after = await sandbox.Replicate.GetAsync(link, token: null);

        Assert.Equal(zip, before.Bytes);
        Assert.Equal(204, deleted.Status);
        Assert.Equal(404, after.Status);
        Assert.Equal(404, (await sandbox.Replicate.SendAsync(HttpMethod.Delete, $"/v1/files/{file["id"]}")).Status);
    }

    [Fact]
    public async Task SignedLink_ThatWasChanged_IsNotFound()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        var file = await sandbox.Replicate.UploadAsync(Zips.Photos(3));
        await sandbox.Replicate.CreateModelAsync();
        var created = await sandbox.Replicate.TrainAsync(new JsonObject { ["input_images"] = file["urls"]!["get"]!.DeepClone() });
        string link = (string)created["input"]!["input_images"]!;
        string signature = link[(link.IndexOf("signature=", StringComparison.Ordinal) + 10)..];
        Assert.Equal(32, Convert.FromBase64String(Uri.UnescapeDataString(Uri.UnescapeDataString(signature))).Length);

        // A client may undo one of the two escapings first; both forms are good.
        Assert.Equal(200, (await sandbox.Replicate.GetAsync(link.Replace(signature, Uri.UnescapeDataString(signature)), token: null)).Status);
        Assert.Equal(404, (await sandbox.Replicate.GetAsync(link.Replace("owner=sandbox-user", "owner=sandbox-user-2"), token: null)).Status);
        Assert.Equal(404, (await sandbox.Replicate.GetAsync(link.Replace("expiry=1", "expiry=2"), token: null)).Status);
        Assert.Equal(404, (await sandbox.Replicate.GetAsync(link + "x", token: null)).Status);
        Assert.Equal(404, (await sandbox.Replicate.GetAsync($"/v1/files/{file["id"]}/download")).Status);
    }

    [Fact]
    public async Task File_After24Hours_IsGone()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        string id = (string)(await sandbox.Replicate.UploadAsync(Zips.Photos(3)))["id"]!;

        await sandbox.Replicate.PostAsync("/admin/clock", new JsonObject { ["advance_seconds"] = 86_000 }, token: null);
        Assert.Equal(200, (await sandbox.Replicate.GetAsync($"/v1/files/{id}")).Status);
        await sandbox.Replicate.PostAsync("/admin/clock", new JsonObject { ["advance_seconds"] = 500 }, token: null);

        Assert.Equal(404, (await sandbox.Replicate.GetAsync($"/v1/files/{id}")).Status);
        Assert.Empty(Directory.GetFiles(Path.Combine(sandbox.DataDirectory, "replicate", "files")));
    }

    [Fact]
    public async Task List_OfFiles_IsPagedNewestFirst()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:Replicate:PageSize=2");
        foreach (string name in (string[])["a", "b", "c", "d", "e"])
        {
            await sandbox.Replicate.UploadAsync(Zips.Photos(1), name);
        }

        var first = await sandbox.Replicate.GetAsync("/v1/files");
        var second = await sandbox.Replicate.GetAsync((string)first["next"]!);
        var third = await sandbox.Replicate.GetAsync((string)second["next"]!);
        var back = await sandbox.Replicate.GetAsync((string)third["previous"]!);

        Assert.Equal(["e", "d"], Names(first));
        Assert.Null(first["previous"]);
        Assert.Equal(["c", "b"], Names(second));
        Assert.Equal(["a"], Names(third));
        Assert.Null(third["next"]);
        Assert.Equal(["c", "b"], Names(back));
    }

    private static IEnumerable<string> Names(Answer page) => page["results"]!.AsArray().Select(file => (string)file!["name"]!);
}
