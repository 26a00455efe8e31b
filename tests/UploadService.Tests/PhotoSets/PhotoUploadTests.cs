using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Flurrty.UploadService.Tests.Fixtures;

namespace Flurrty.UploadService.Tests.PhotoSets;

[Collection(UploadsCollection.Name)]
public sealed class PhotoUploadTests(UploadsFixture uploads)
{
    private static readonly byte[] Good = TestPhotos.Jpeg(640, 480, 30);

    [Fact]
    public async Task Form_WithOneGoodAndTwoBadFiles_AcceptsTheGoodAndNamesTheBad()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var (status, body) = await caller.AddAsync(set, ("note.jpg", "hello"u8.ToArray()), ("good.jpg", Good), ("cut.jpg", Good[..(Good.Length / 2)]));
        Assert.True(status == HttpStatusCode.Created, $"{status} {body}");
        var photo = Assert.Single(body.GetProperty("photos").EnumerateArray());
        Assert.Equal(("good.jpg", 640, 480), (photo.GetProperty("file_name").GetString(), photo.GetProperty("width").GetInt32(), photo.GetProperty("height").GetInt32()));
        Assert.Equal(
            ["note.jpg photo_not_an_image", "cut.jpg photo_truncated"],
            body.GetProperty("rejected").EnumerateArray().Select(rejected => $"{rejected.GetProperty("file_name").GetString()} {rejected.Code()}"));
    }

    [Theory]
    [InlineData("text", HttpStatusCode.UnprocessableEntity, "photo_not_an_image")]
    [InlineData("truncated", HttpStatusCode.UnprocessableEntity, "photo_truncated")]
    [InlineData("gif", HttpStatusCode.UnprocessableEntity, "photo_format_unsupported")]
    [InlineData("too many pixels", HttpStatusCode.UnprocessableEntity, "photo_too_many_pixels")]
    [InlineData("21 MB", HttpStatusCode.RequestEntityTooLarge, "photo_too_large")]
    public async Task Form_WithOneBadFile_IsAProblemAndLeavesNothing(string kind, HttpStatusCode expected, string code)
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var (status, problem) = await caller.AddAsync(set, ("photo.jpg", Bad(kind)));
        Assert.True((status, problem.Code()) == (expected, code), $"{status} {problem}");
        Assert.False(string.IsNullOrWhiteSpace(problem.GetProperty("detail").GetString()));
        Assert.Equal(code, Assert.Single(problem.GetProperty("rejected").EnumerateArray()).Code());

        // Its clean twin is taken, and is all there is.
        var (twinStatus, twin) = await caller.AddAsync(set, ("photo.jpg", Good));
        Assert.True(twinStatus == HttpStatusCode.Created, $"{twinStatus} {twin}");
        var (_, look) = await caller.LookAsync($"/api/photo-sets/{set}");
        Assert.Equal(1, look.GetProperty("photo_count").GetInt32());
    }

    [Fact]
    public async Task Photo_JustBelowTheLimit_IsAccepted()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();

        // Bytes after the end marker are no part of the picture.
        var padded = Good.Concat(new byte[(20 * 1024 * 1024) - Good.Length]).ToArray();
        var (status, body) = await caller.AddAsync(set, ("large.jpg", padded));
        Assert.True(status == HttpStatusCode.Created, $"{status} {body}");
        var (overStatus, over) = await caller.AddAsync(set, ("larger.jpg", [.. padded, 0]));
        Assert.True((overStatus, over.Code()) == (HttpStatusCode.RequestEntityTooLarge, "photo_too_large"), $"{overStatus} {over}");
    }

    [Fact]
    public async Task FortyOnePhotos_InOneForm_FillTheSetAndRefuseOne()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var files = Enumerable.Range(0, 41).Select(i => ($"{i}.jpg", TestPhotos.Jpeg(128, 128, 500 + i))).ToArray();
        var (status, body) = await caller.AddAsync(set, files);
        Assert.True(status == HttpStatusCode.Created, $"{status} {body}");
        Assert.Equal(40, body.GetProperty("photos").GetArrayLength());
        Assert.Equal("too_many_photos", Assert.Single(body.GetProperty("rejected").EnumerateArray()).Code());

        var (fullStatus, full) = await caller.AddAsync(set, ("x.jpg", TestPhotos.Jpeg(128, 128, 999)));
        Assert.True((fullStatus, full.Code()) == (HttpStatusCode.UnprocessableEntity, "too_many_photos"), $"{fullStatus} {full}");
    }

    [Fact]
    public async Task FortyEightPhotos_SentAtOnceByThree_LeaveForty()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 3).Select(sender =>
            caller.AddAsync(set, [.. Enumerable.Range(0, 16).Select(i => ($"{i}.jpg", TestPhotos.Jpeg(128, 128, 600 + (sender * 16) + i)))])));
        Assert.All(answers, answer => Assert.True(answer.Status is HttpStatusCode.Created or HttpStatusCode.UnprocessableEntity, $"{answer.Status} {answer.Body}"));
        var accepted = answers.Where(answer => answer.Status == HttpStatusCode.Created).Sum(answer => answer.Body.GetProperty("photos").GetArrayLength());
        var (_, look) = await caller.LookAsync($"/api/photo-sets/{set}");
        Assert.Equal((40, 40), (accepted, look.GetProperty("photo_count").GetInt32()));
        await uploads.EverythingMatchesAsync();
    }

    [Fact]
    public async Task SamePhoto_SentAgainAndByManyAtOnce_IsStoredOnce()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var photo = TestPhotos.Jpeg(640, 480, 31);
        var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => caller.AddAsync(set, ($"{i}.jpg", photo), ($"{i}-again.jpg", photo))));
        Assert.All(answers, answer => Assert.True(answer.Status == HttpStatusCode.Created, $"{answer.Status} {answer.Body}"));
        Assert.Single(answers.SelectMany(answer => answer.Body.GetProperty("photos").EnumerateArray()).Select(item => item.GetProperty("id").GetGuid()).Distinct());
        var (_, look) = await caller.LookAsync($"/api/photo-sets/{set}");
        Assert.Equal(1, look.GetProperty("photo_count").GetInt32());
        await uploads.EverythingMatchesAsync();
    }

    [Theory]
    [InlineData("jpg")]
    [InlineData("heic")]
    [InlineData("avif")]
    public async Task Photo_WithGpsAndNames_IsStoredWithoutAnyMetadata(string format)
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var jpeg = format == "jpg";
        var planted = TestPhotos.WithMetadataOf(
            jpeg ? TestPhotos.Jpeg(1600, 1200, 32) : TestPhotos.Heif(format, 1600, 1200, 32), format,
            "-GPSLatitude=48.8584", "-GPSLatitudeRef=N", "-GPSLongitude=2.2945", "-GPSLongitudeRef=E", "-SerialNumber=SN-4711", "-Artist=Jane Roe", "-XMP:Creator=Jane Roe",
            jpeg ? "-IPTC:City=Paris" : "-XMP:City=Paris", jpeg ? "-Comment=secret comment" : "-UserComment=secret comment", "-Orientation#=1");
        var before = string.Join('\n', TestPhotos.ReadMetadata(planted));
        Assert.All(new[] { "GPSLatitude", "SN-4711", "Jane Roe", "Paris", "secret comment" }, trace => Assert.Contains(trace, before, StringComparison.Ordinal));

        var (status, body) = await caller.AddAsync(set, ("holiday.jpg", planted));
        Assert.True(status == HttpStatusCode.Created, $"{status} {body}");
        var keys = (await uploads.KeysAsync()).Where(key => key.Contains($"{set:n}", StringComparison.Ordinal)).ToArray();
        Assert.Equal(2, keys.Length);
        foreach (var key in keys)
        {
            var after = TestPhotos.ReadMetadata(await uploads.ObjectAsync(key));
            Assert.Contains(after, line => line.Contains("ImageWidth", StringComparison.Ordinal));
            Assert.All(after, line => Assert.Matches(@"^\[(ExifTool|System|File|Composite|JFIF)\]", line));
            Assert.All(
                new[] { "GPS", "SN-4711", "Jane", "Paris", "secret" },
                trace => Assert.DoesNotContain(after, line => line.Contains(trace, StringComparison.OrdinalIgnoreCase) && !line.Contains("Directory", StringComparison.Ordinal)));
        }
    }

    [Fact]
    public async Task Request_ThatIsNoForm_IsRefused()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        using var json = JsonContent.Create(new { photos = "none" });
        var (status, problem) = await caller.AddAsync(set, json);
        Assert.True((status, problem.Code()) == (HttpStatusCode.UnsupportedMediaType, "multipart_required"), $"{status} {problem}");
    }

    [Theory]
    [InlineData("no boundary in the body", "multipart_malformed")]
    [InlineData("--b\r\nContent-Disposition: form-data; name=\"photos\"; filename=\"a.jpg\"\r\n\r\nhello", "multipart_malformed")]
    [InlineData("--b\r\nContent-Disposition: form-data; name=\"photos\"; filename=\"a.jpg\"\r\n", "multipart_malformed")]
    [InlineData("--b--\r\n", "photos_missing")]
    [InlineData("--b\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--b--\r\n", "photos_missing")]
    public async Task Form_ThatIsBroken_IsAProblemOfTheCaller(string text, string code)
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        using var content = new ByteArrayContent(Encoding.ASCII.GetBytes(text));
        content.Headers.ContentType = MediaTypeHeaderValue.Parse("multipart/form-data; boundary=b");
        var (status, problem) = await caller.AddAsync(set, content);
        Assert.True((int)status is 400 or 422 && problem.Code() == code, $"{status} {problem}");
    }

    [Fact]
    public async Task Set_OfSomebodyElse_IsNotFound()
    {
        using var owner = uploads.As(Guid.NewGuid());
        using var other = uploads.As(Guid.NewGuid());
        var set = await owner.NewSetWithPhotosAsync(1);
        var (_, mine) = await owner.LookAsync($"/api/photo-sets/{set}");
        var photo = mine.GetProperty("photos")[0].GetProperty("id").GetGuid();
        Assert.Equal(HttpStatusCode.OK, (await owner.LookAsync($"/api/photo-sets/{set}/photos/{photo}")).Status);

        var (status, problem) = await other.AddAsync(set, ("good.jpg", Good));
        Assert.True((status, problem.Code()) == (HttpStatusCode.NotFound, "photo_set_not_found"), $"{status} {problem}");
        foreach (var path in new[] { $"/api/photo-sets/{set}", $"/api/photo-sets/{set}/photos/{photo}", $"/api/photo-sets/{set}/photos/{photo}/thumbnail", $"/api/photo-sets/{set}/photos/{photo}/content" })
        {
            Assert.Equal(HttpStatusCode.NotFound, (await other.LookAsync(path)).Status);
        }

        foreach (var path in new[] { $"/api/photo-sets/{set}/photos/{photo}", $"/api/photo-sets/{set}" })
        {
            using var answer = await other.DeleteAsync(path);
            Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        }

        Assert.Empty((await other.LookAsync("/api/photo-sets")).Body.GetProperty("items").EnumerateArray());
        Assert.Equal(1, (await owner.LookAsync($"/api/photo-sets/{set}")).Body.GetProperty("photo_count").GetInt32());
    }

    [Fact]
    public async Task Caller_WithoutATicket_IsTurnedAway()
    {
        using var anonymous = uploads.Anonymous();
        foreach (var path in new[] { "/api/photo-sets", $"/api/photo-sets/{Guid.NewGuid()}", $"/internal/datasets/{Guid.NewGuid()}" })
        {
            var (status, problem) = await anonymous.LookAsync(path);
            Assert.True((status, problem.Code()) == (HttpStatusCode.Unauthorized, "unauthorized"), $"{path} {status} {problem}");
        }
    }

    [Fact]
    public async Task Client_GoneInMidPhoto_LeavesNoTraceOfIt()
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        var set = await caller.NewSetAsync();
        using var gone = new CancellationTokenSource();
        using var form = new MultipartFormDataContent
        {
            { new ByteArrayContent(TestPhotos.Jpeg(640, 480, 33)), "photos", "first.jpg" },
            { new StreamContent(new StallingStream(TestPhotos.Jpeg(2000, 1500, 34), gone)), "photos", "second.jpg" },
        };
        await Assert.ThrowsAnyAsync<Exception>(() => caller.PostAsync($"/api/photo-sets/{set}/photos", form, gone.Token));

        // Whatever became of the first, the second is neither in the set nor in the store.
        await uploads.EverythingMatchesAsync();
        var (_, look) = await caller.LookAsync($"/api/photo-sets/{set}");
        Assert.DoesNotContain(look.GetProperty("photos").EnumerateArray(), photo => string.Equals(photo.GetProperty("file_name").GetString(), "second.jpg", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Thumbnail_AndPhoto_AreReadBackAsStored()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var (_, body) = await caller.AddAsync(set, ("good.jpg", TestPhotos.Jpeg(1200, 900, 35)));
        var photo = body.GetProperty("photos")[0];
        using var answer = await caller.GetAsync(photo.GetProperty("thumbnail_url").GetString());
        var thumbnail = await answer.Content.ReadAsByteArrayAsync();
        Assert.Equal("image/jpeg", answer.Content.Headers.ContentType?.MediaType);
        Assert.Contains("200x200", string.Join('\n', TestPhotos.ReadMetadata(thumbnail)), StringComparison.Ordinal);

        using var again = new HttpRequestMessage(HttpMethod.Get, photo.GetProperty("thumbnail_url").GetString());
        again.Headers.IfNoneMatch.Add(answer.Headers.ETag!);
        using var unchanged = await caller.SendAsync(again);
        Assert.Equal(HttpStatusCode.NotModified, unchanged.StatusCode);

        var content = await caller.GetByteArrayAsync($"/api/photo-sets/{set}/photos/{photo.GetProperty("id").GetGuid()}/content");
        Assert.Equal(photo.GetProperty("sha256").GetString(), Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(content)));
        Assert.Equal(photo.GetProperty("bytes").GetInt64(), content.Length);
    }

    [Fact]
    public async Task Photo_Deleted_IsGoneFromTheStoreToo()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetWithPhotosAsync(2, seed: 700);
        var (_, look) = await caller.LookAsync($"/api/photo-sets/{set}");
        var first = look.GetProperty("photos")[0].GetProperty("id").GetGuid();
        using (var answer = await caller.DeleteAsync($"/api/photo-sets/{set}/photos/{first}"))
        {
            Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        }

        await uploads.WaitForKeysAsync($"{set:n}", 2);
        using (var answer = await caller.DeleteAsync($"/api/photo-sets/{set}"))
        {
            Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        }

        await uploads.WaitForKeysAsync($"{set:n}", 0);
        Assert.Equal(HttpStatusCode.NotFound, (await caller.LookAsync($"/api/photo-sets/{set}")).Status);
    }

    [Theory]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData("two\nlines")]
    public async Task Set_WithABadName_IsRefused(string name)
    {
        using var caller = uploads.As(Guid.NewGuid());
        using var answer = await caller.PostAsJsonAsync("/api/photo-sets", new { name });
        var (status, problem) = await answer.ReadAsync();
        Assert.True((status, problem.Code()) == (HttpStatusCode.UnprocessableEntity, "invalid_name"), $"{status} {problem}");
    }

    [Theory]
    [InlineData("application/json; charset=\"utf-8\"", 201, null)]
    [InlineData("application/json; charset=windows-1252", 415, "unsupported_charset")]
    [InlineData("application/json; charset=utf-7", 415, "unsupported_charset")]
    [InlineData("application/json; charset=nonsense", 415, "unsupported_charset")]
    public async Task Set_AsJsonOfACharset_IsReadOrRefused(string type, int expected, string? code)
    {
        using var caller = uploads.As(Guid.NewGuid());
        using var content = new ByteArrayContent([0xEF, 0xBB, 0xBF, .. "{\"name\":\"summer\"}"u8]);
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        using var answer = await caller.PostAsync(new Uri("/api/photo-sets", UriKind.Relative), content);
        var (status, body) = await answer.ReadAsync();
        Assert.True((int)status == expected && (code is null || body.Code() == code), $"{status} {body}");
    }

    [Theory]
    [InlineData("{\"name\":")]
    [InlineData("{\"name\":{}}")]
    [InlineData("{\"\\ud800\":1}")]
    public async Task Set_OfUnreadableJson_IsRefusedWithWhereToLook(string json)
    {
        using var caller = uploads.As(Guid.NewGuid());
        using var content = new StringContent(json, System.Text.Encoding.UTF8, "application/json");
        using var answer = await caller.PostAsync(new Uri("/api/photo-sets", UriKind.Relative), content);
        var (status, problem) = await answer.ReadAsync();
        Assert.True((status, problem.Code()) == (HttpStatusCode.BadRequest, "invalid_json"), $"{status} {problem}");
    }

    [Fact]
    public async Task Sets_Listed_ComePageByPageNewestFirst()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var made = new List<Guid>();
        for (var i = 0; i < 5; i++)
        {
            made.Add(await caller.NewSetAsync($"set {i}"));
        }

        var seen = new List<Guid>();
        string? cursor = null;
        do
        {
            var (status, page) = await caller.LookAsync($"/api/photo-sets?limit=2{(cursor is null ? "" : $"&cursor={cursor}")}");
            Assert.True(status == HttpStatusCode.OK, $"{status} {page}");
            seen.AddRange(page.GetProperty("items").EnumerateArray().Select(set => set.GetProperty("id").GetGuid()));
            cursor = page.GetProperty("next_cursor").ValueKind == JsonValueKind.Null ? null : page.GetProperty("next_cursor").GetString();
        }
        while (cursor is not null);
        made.Reverse();
        Assert.Equal(made, seen);
    }

    [Fact]
    public async Task Description_OfTheService_ShowsTheForm()
    {
        using var anonymous = uploads.Anonymous();
        var (status, api) = await anonymous.LookAsync("/openapi/v1.json");
        Assert.Equal(HttpStatusCode.OK, status);
        var form = api.GetProperty("paths").GetProperty("/api/photo-sets/{photoSetId}/photos").GetProperty("post").GetProperty("requestBody").GetProperty("content").GetProperty("multipart/form-data");
        Assert.Equal("binary", form.GetProperty("schema").GetProperty("properties").GetProperty("photos").GetProperty("items").GetProperty("format").GetString());
        foreach (var (schema, members) in new[] { ("GiveConsent", "text_version"), ("BeginUploads", "files"), ("PromisedFile", "size,sha256") })
        {
            var required = api.GetProperty("components").GetProperty("schemas").EnumerateObject().Single(item => item.Name.EndsWith(schema, StringComparison.Ordinal)).Value.GetProperty("required");
            Assert.Equal(members.Split(','), required.EnumerateArray().Select(member => member.GetString()!));
        }

        Assert.DoesNotContain(api.GetProperty("paths").EnumerateObject(), path => path.Name.StartsWith("/internal", StringComparison.Ordinal));
        foreach (var operation in api.GetProperty("paths").EnumerateObject().SelectMany(path => path.Value.EnumerateObject()))
        {
            Assert.True(operation.Value.TryGetProperty("operationId", out _) && operation.Value.TryGetProperty("summary", out _) && operation.Value.TryGetProperty("description", out _), operation.Value.ToString());
        }
    }

    private static byte[] Bad(string kind) => kind switch
    {
        "text" => "hello"u8.ToArray(),
        "truncated" => Good[..(Good.Length / 2)],
        "gif" => [.. "GIF89a"u8, .. new byte[1000]],
        "too many pixels" => TestPhotos.Jpeg(6000, 6000, 36, options: "interlace=true"),
        "21 MB" => [.. Good, .. new byte[21_000_000 - Good.Length]],
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "unknown"),
    };

    /// <summary>Gives half of its bytes, then its reader goes away.</summary>
    private sealed class StallingStream(byte[] bytes, CancellationTokenSource gone) : Stream
    {
        private int _position;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => _position; set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_position >= bytes.Length / 2)
            {
                await Task.Delay(300, cancellationToken);
                await gone.CancelAsync();
                cancellationToken.ThrowIfCancellationRequested();
                throw new IOException("gone");
            }

            var count = Math.Min(buffer.Length, (bytes.Length / 2) - _position);
            bytes.AsMemory(_position, count).CopyTo(buffer);
            _position += count;
            return count;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
