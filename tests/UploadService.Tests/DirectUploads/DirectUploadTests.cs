using System.Net;
using System.Text.Json;
using Flurrty.UploadService.Tests.Fixtures;

namespace Flurrty.UploadService.Tests.DirectUploads;

[Collection(UploadsCollection.Name)]
public sealed class DirectUploadTests(UploadsFixture uploads)
{
    [Fact]
    public async Task Photos_PutAndCompleted_AreAnsweredAsThoseOfAForm()
    {
        using var caller = uploads.As(Guid.NewGuid());
        byte[][] photos = [TestPhotos.Jpeg(1600, 1200, 1001), TestPhotos.Jpeg(640, 480, 1002)];
        var byForm = await caller.NewSetAsync();
        var (_, expected) = await caller.AddAsync(byForm, ("0.jpg", photos[0]), ("1.jpg", photos[1]));

        var set = await caller.NewSetAsync();
        var begun = await caller.BegunAsync(set, photos);
        foreach (var (upload, photo) in begun.Zip(photos))
        {
            Assert.Equal(HttpStatusCode.OK, await upload.PutAsync(photo));
        }

        Assert.Equal(2, (await QuarantinedAsync(begun)).Length);
        var got = new List<JsonElement>();
        foreach (var upload in begun)
        {
            var (status, body) = await caller.CompleteAsync(upload);
            Assert.True(status == HttpStatusCode.Created && body.GetProperty("rejected").GetArrayLength() == 0, $"{status} {body}");
            got.Add(Assert.Single(body.GetProperty("photos").EnumerateArray()));
        }

        Assert.Equal(expected.GetProperty("photos").EnumerateArray().Select(Shape), got.Select(Shape));
        await Eventually.TrueAsync(async () => (await QuarantinedAsync(begun) is [], "objects in quarantine"));

        // A repetition gives the same photo.
        var (again, repeated) = await caller.CompleteAsync(begun[0]);
        Assert.True(again == HttpStatusCode.Created, $"{again} {repeated}");
        Assert.Equal(got[0].GetProperty("id").GetGuid(), repeated.GetProperty("photos")[0].GetProperty("id").GetGuid());
        Assert.Equal(2, (await caller.LookAsync($"/api/photo-sets/{set}")).Body.GetProperty("photo_count").GetInt32());
        await uploads.EverythingMatchesAsync();

        static string Shape(JsonElement photo) =>
            string.Join(' ', new[] { "file_name", "width", "height", "bytes", "sha256", "source_sha256" }.Select(name => photo.GetProperty(name).ToString()));
    }

    [Fact]
    public async Task AllUploads_CompletedAtOnce_AreAnsweredInTheirOrder()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        byte[][] photos = [TestPhotos.Jpeg(400, 300, 1010), "not a picture"u8.ToArray(), TestPhotos.Jpeg(400, 300, 1011), TestPhotos.Jpeg(400, 300, 1012)];
        var begun = await caller.BegunAsync(set, photos);
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(HttpStatusCode.OK, await begun[i].PutAsync(photos[i]));
        }

        var (status, body) = await caller.CompleteAllAsync(set);
        Assert.True(status == HttpStatusCode.Created, $"{status} {body}");
        Assert.Equal(["0.jpg", "2.jpg"], body.GetProperty("photos").EnumerateArray().Select(photo => photo.GetProperty("file_name").GetString()!));
        Assert.Equal(["photo_not_an_image", "upload_not_received"], body.GetProperty("rejected").EnumerateArray().Select(Steps.Code));

        Assert.Equal(HttpStatusCode.OK, await begun[3].PutAsync(photos[3]));
        (status, body) = await caller.CompleteAllAsync(set);
        Assert.True(status == HttpStatusCode.Created && body.GetProperty("photos").GetArrayLength() == 3, $"{status} {body}");
        await uploads.EverythingMatchesAsync();
    }

    [Fact]
    public async Task Bytes_ThatWereNotPromised_AreRefusedByTheStoreOrTheService()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var promised = TestPhotos.Jpeg(400, 300, 1020);
        var other = promised.ToArray();
        other[^3] ^= 1;
        byte[] longer = [.. promised, 0];
        var upload = Assert.Single(await caller.BegunAsync(set, promised));
        Assert.Equal(HttpStatusCode.BadRequest, await upload.PutAsync(other));
        Assert.Equal(HttpStatusCode.Forbidden, await upload.PutAsync(longer));
        Assert.Equal(HttpStatusCode.Forbidden, await upload.PutAsync(promised[..^1]));
        Assert.Equal(HttpStatusCode.Forbidden, await upload.PutAsync(other, withChecksum: false));
        var (status, problem) = await caller.CompleteAsync(upload);
        Assert.True((status, problem.Code()) == (HttpStatusCode.Conflict, "upload_not_received"), $"{status} {problem}");

        // The same upload takes what was promised.
        Assert.Equal(HttpStatusCode.OK, await upload.PutAsync(promised));
        (status, problem) = await caller.CompleteAsync(upload);
        Assert.True(status == HttpStatusCode.Created, $"{status} {problem}");
    }

    [Theory]
    [InlineData("other bytes")]
    [InlineData("more bytes")]
    [InlineData("fewer bytes")]
    public async Task StoredBytes_OtherThanPromised_AreAChecksumMismatchAndGo(string how)
    {
        // As a store would leave them that knows no checksums.
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        var set = await caller.NewSetAsync();
        var promised = TestPhotos.Jpeg(400, 300, 1030);
        var upload = Assert.Single(await caller.BegunAsync(set, promised));
        var stored = how switch { "other bytes" => [.. promised[..^3], (byte)(promised[^3] ^ 1), .. promised[^2..]], "more bytes" => [.. promised, 0], _ => promised[..^1] };
        using (var client = uploads.Store.Open("uploads"))
        {
            _ = await client.PutObjectAsync(new Amazon.S3.Model.PutObjectRequest
            {
                BucketName = "photos",
                Key = $"quarantine/{account:n}/{upload.Id():n}/photo",
                InputStream = new MemoryStream(stored),
            });
        }

        foreach (var attempt in new[] { "first", "again" })
        {
            var (status, problem) = await caller.CompleteAsync(upload);
            Assert.True((status, problem.Code()) == (HttpStatusCode.UnprocessableEntity, "checksum_mismatch"), $"{attempt} {status} {problem}");
            Assert.Equal("checksum_mismatch", Assert.Single(problem.GetProperty("rejected").EnumerateArray()).Code());
        }

        await uploads.WaitForKeysAsync($"{upload.Id():n}", 0);
        Assert.Equal(0, (await caller.LookAsync($"/api/photo-sets/{set}")).Body.GetProperty("photo_count").GetInt32());
    }

    [Fact]
    public async Task Quarantine_CannotBeReadByAnybody()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var photo = TestPhotos.Jpeg(400, 300, 1040);
        var upload = Assert.Single(await caller.BegunAsync(set, photo));
        Assert.Equal(HttpStatusCode.OK, await upload.PutAsync(photo));
        foreach (var method in new[] { "GET", "HEAD", "DELETE" })
        {
            Assert.Contains(await upload.PutAsync([], method), new[] { HttpStatusCode.Forbidden, HttpStatusCode.BadRequest });
        }

        using var anonymous = new HttpClient();
        using var plain = await anonymous.GetAsync(new Uri(upload.GetProperty("url").GetString()!.Split('?')[0]));
        Assert.Contains(plain.StatusCode, new[] { HttpStatusCode.Forbidden, HttpStatusCode.BadRequest, HttpStatusCode.Unauthorized });
        Assert.Equal(HttpStatusCode.Created, (await caller.CompleteAsync(upload)).Status);
    }

    [Fact]
    public async Task Upload_CompletedByManyAtOnce_IsOnePhoto()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var photo = TestPhotos.Jpeg(640, 480, 1050);
        var upload = Assert.Single(await caller.BegunAsync(set, photo));
        Assert.Equal(HttpStatusCode.OK, await upload.PutAsync(photo));
        var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => caller.CompleteAsync(upload)));
        Assert.All(answers, answer => Assert.True(answer.Status == HttpStatusCode.Created, $"{answer.Status} {answer.Body}"));
        Assert.Single(answers.Select(answer => answer.Body.GetProperty("photos")[0].GetProperty("id").GetGuid()).Distinct());
        await uploads.EverythingMatchesAsync();
    }

    [Fact]
    public async Task Put_AfterItsUploadWasCompleted_ChangesNothingAndGoes()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var photo = TestPhotos.Jpeg(400, 300, 1060);
        var upload = Assert.Single(await caller.BegunAsync(set, photo));
        Assert.Equal(HttpStatusCode.OK, await upload.PutAsync(photo));
        var (_, first) = await caller.CompleteAsync(upload);
        await uploads.WaitForKeysAsync($"{upload.Id():n}", 0);
        Assert.Equal(HttpStatusCode.OK, await upload.PutAsync(photo));
        var (status, again) = await caller.CompleteAsync(upload);
        Assert.True(status == HttpStatusCode.Created, $"{status} {again}");
        Assert.Equal(first.ToString(), again.ToString());
        Assert.Contains(await uploads.KeysAsync(), key => key.Contains($"{upload.Id():n}", StringComparison.Ordinal));
        await uploads.EverythingMatchesAsync();
    }

    [Fact]
    public async Task Upload_OfSomebodyElse_IsNotFound()
    {
        using var owner = uploads.As(Guid.NewGuid());
        using var other = uploads.As(Guid.NewGuid());
        var set = await owner.NewSetAsync();
        var photo = TestPhotos.Jpeg(400, 300, 1070);
        var upload = Assert.Single(await owner.BegunAsync(set, photo));
        Assert.Equal(HttpStatusCode.OK, await upload.PutAsync(photo));
        var (status, problem) = await other.BeginAsync(set, DirectSteps.Promise(photo));
        Assert.True((status, problem.Code()) == (HttpStatusCode.NotFound, "photo_set_not_found"), $"{status} {problem}");
        (status, problem) = await other.CompleteAsync(upload);
        Assert.True((status, problem.Code()) == (HttpStatusCode.NotFound, "upload_not_found"), $"{status} {problem}");
        Assert.Equal(HttpStatusCode.NotFound, (await other.CompleteAllAsync(set)).Status);
        using (var answer = await other.DeleteAsync($"/api/photo-sets/{set}/uploads/{upload.Id()}"))
        {
            Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        }

        // The owner's own other set does not know it either.
        using (var answer = await owner.PostAsync($"/api/photo-sets/{await owner.NewSetAsync()}/uploads/{upload.Id()}/complete", content: null))
        {
            Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        }

        (status, problem) = await owner.CompleteAsync(upload);
        Assert.True(status == HttpStatusCode.Created, $"{status} {problem}");
    }

    [Fact]
    public async Task Upload_GivenUpOrOfADeletedSet_LeavesNothing()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        byte[][] photos = [TestPhotos.Jpeg(400, 300, 1080), TestPhotos.Jpeg(400, 300, 1081)];
        var begun = await caller.BegunAsync(set, photos);
        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.OK], await Task.WhenAll(begun.Zip(photos, (upload, photo) => upload.PutAsync(photo))));
        Assert.Equal(2, (await QuarantinedAsync(begun)).Length);
        using (var answer = await caller.DeleteAsync($"/api/photo-sets/{set}/uploads/{begun[0].Id()}"))
        {
            Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        }

        Assert.Equal(HttpStatusCode.NotFound, (await caller.CompleteAsync(begun[0])).Status);
        await Eventually.TrueAsync(async () => (await QuarantinedAsync(begun) is [_], "objects in quarantine"));
        using (var answer = await caller.DeleteAsync($"/api/photo-sets/{set}"))
        {
            Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        }

        await Eventually.TrueAsync(async () => (await QuarantinedAsync(begun) is [], "objects in quarantine"));
    }

    [Fact]
    public async Task Upload_ThatExpired_IsGoneWithItsBytes()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var photo = TestPhotos.Jpeg(400, 300, 1090);
        var upload = Assert.Single(await caller.BegunAsync(set, photo));
        Assert.Equal(HttpStatusCode.OK, await upload.PutAsync(photo));
        _ = await StoreChecks.QueryAsync(uploads.Postgres.Superuser("uploads"), "UPDATE pending_uploads SET expires_at = clock_timestamp() WHERE id = $1", upload.Id());
        var (status, problem) = await caller.CompleteAsync(upload);
        Assert.True((int)status is 410 or 404 && problem.Code() is "upload_expired" or "upload_not_found", $"{status} {problem}");
        Assert.Equal(0, (await caller.LookAsync("/api/photo-sets/usage")).Body.GetProperty("files").GetProperty("pending").GetInt32());
        await uploads.EverythingMatchesAsync();
        Assert.Empty(await QuarantinedAsync([upload]));
    }

    [Theory]
    [InlineData("""{}""", "files_missing")]
    [InlineData("""{"files":[]}""", "files_missing")]
    [InlineData("""{"files":[null]}""", "files_missing")]
    [InlineData("""{"files":[{"size":0,"sha256":"SHA"}]}""", "upload_size_invalid")]
    [InlineData("""{"files":[{"size":-1,"sha256":"SHA"}]}""", "upload_size_invalid")]
    [InlineData("""{"files":[{"size":20971521,"sha256":"SHA"}]}""", "photo_too_large")]
    [InlineData("""{"files":[{"size":1}]}""", "upload_sha256_invalid")]
    [InlineData("""{"files":[{"size":1,"sha256":"zz"}]}""", "upload_sha256_invalid")]
    [InlineData("""{"files":[{"size":1,"sha256":"SHA","content_type":"no type"}]}""", "upload_content_type_invalid")]
    [InlineData("""{"files":[{"size":20971520,"sha256":"SHA","content_type":"image/jpeg"}]}""", null)]
    public async Task Promise_ThatCannotBeRight_IsRefused(string json, string? code)
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        using var content = new StringContent(json.Replace("SHA", new string('a', 64), StringComparison.Ordinal), System.Text.Encoding.UTF8, "application/json");
        using var answer = await caller.PostAsync($"/api/photo-sets/{set}/uploads", content);
        var (status, body) = await answer.ReadAsync();
        Assert.True(code is null ? status == HttpStatusCode.Created : (int)status is 413 or 422 && body.Code() == code, $"{status} {body}");
    }

    [Fact]
    public async Task FortyPhotos_HoldOverAllWaysAndAtOnce()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        Assert.Equal(HttpStatusCode.Created, (await caller.AddAsync(set, [.. Enumerable.Range(0, 30).Select(i => ($"{i}.jpg", TestPhotos.Jpeg(64, 64, 1100 + i)))])).Status);
        var photos = Enumerable.Range(0, 10).Select(i => TestPhotos.Jpeg(64, 64, 1200 + i)).ToArray();
        var begun = await caller.BegunAsync(set, photos);
        var (status, problem) = await caller.BeginAsync(set, DirectSteps.Promise(TestPhotos.Jpeg(64, 64, 1300)));
        Assert.True((status, problem.Code()) == (HttpStatusCode.UnprocessableEntity, "too_many_photos"), $"{status} {problem}");
        Assert.All(await Task.WhenAll(begun.Zip(photos, (upload, photo) => upload.PutAsync(photo))), answer => Assert.Equal(HttpStatusCode.OK, answer));

        // A form at the same time takes some of the places.
        var form = caller.AddAsync(set, [.. Enumerable.Range(0, 6).Select(i => ($"f{i}.jpg", TestPhotos.Jpeg(64, 64, 1400 + i)))]);
        var (completed, body) = await caller.CompleteAllAsync(set);
        var (formStatus, formBody) = await form;
        Assert.True(completed == HttpStatusCode.Created, $"{completed} {body}");
        Assert.True(formStatus is HttpStatusCode.Created or HttpStatusCode.UnprocessableEntity, $"{formStatus} {formBody}");
        var rejected = new[] { body, formBody }.SelectMany(answer => answer.GetProperty("rejected").EnumerateArray()).Select(Steps.Code).ToArray();
        Assert.Equal(6, rejected.Length);
        Assert.All(rejected, code => Assert.Equal("too_many_photos", code));
        Assert.Equal(40, (await caller.LookAsync($"/api/photo-sets/{set}")).Body.GetProperty("photo_count").GetInt32());
        await uploads.EverythingMatchesAsync();
    }

    [Fact]
    public async Task PresignedUrl_IsNeitherLoggedNorTraced()
    {
        using var listener = new TraceListener();
        await using var service = await ServiceProcess.StartAsync(new Dictionary<string, string?>(uploads.Settings(), StringComparer.Ordinal) { ["Logging:LogLevel:Default"] = "Trace" });
        using var caller = uploads.As(Guid.NewGuid(), service.Address);
        var set = await caller.NewSetAsync();
        var photo = TestPhotos.Jpeg(400, 300, 1500);
        var upload = Assert.Single(await caller.BegunAsync(set, photo));
        var signature = System.Web.HttpUtility.ParseQueryString(new Uri(upload.GetProperty("url").GetString()!).Query)["X-Amz-Signature"]!;
        Assert.Equal(64, signature.Length);
        Assert.Equal(HttpStatusCode.OK, await upload.PutAsync(photo));
        Assert.Equal(HttpStatusCode.Created, (await caller.CompleteAsync(upload)).Status);
        await Eventually.TrueAsync(() => Task.FromResult((service.Output.Contains("3201", StringComparison.Ordinal) || service.Output.Contains("objects were removed", StringComparison.Ordinal), service.Output)));
        Assert.DoesNotContain(signature, service.Output, StringComparison.Ordinal);

        // The same in this process, where its spans can be seen.
        using var here = uploads.As(Guid.NewGuid());
        var mine = Assert.Single(await here.BegunAsync(await here.NewSetAsync(), photo));
        Assert.Equal(HttpStatusCode.OK, await mine.PutAsync(photo));
        Assert.Equal(HttpStatusCode.Created, (await here.CompleteAsync(mine)).Status);
        Assert.Contains(listener.Spans, span => span.Contains("photo normalize", StringComparison.Ordinal));
        Assert.DoesNotContain(listener.Spans, span => span.Contains("Signature", StringComparison.OrdinalIgnoreCase));
    }

    private async Task<string[]> QuarantinedAsync(IEnumerable<JsonElement> begun)
    {
        var keys = await uploads.KeysAsync();
        return [.. keys.Where(key => begun.Any(upload => key.Contains($"{upload.Id():n}", StringComparison.Ordinal)))];
    }
}
