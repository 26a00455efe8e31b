using System.Net;
using System.Security.Cryptography;
using Flurrty.UploadService.Tests.Fixtures;

namespace Flurrty.UploadService.Tests.ResumableUploads;

[Collection(UploadsCollection.Name)]
public sealed class ResumableUploadTests(UploadsFixture uploads)
{
    // Some parts of 2 MiB and a rest.
    private static readonly byte[] Large = TestPhotos.Png(2400, 1800, 3000);
    private static readonly byte[] Small = TestPhotos.Jpeg(400, 300, 3001);

    [Fact]
    public async Task Server_Asked_SaysWhatItCan()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var answer = await caller.TusAsync(HttpMethod.Options, $"/api/photo-sets/{Guid.NewGuid()}/tus", version: null);
        Assert.Equal(HttpStatusCode.NoContent, answer.Status);
        Assert.Equal(
            ("1.0.0", "1.0.0", "creation,termination,expiration,checksum", "20971520", "sha1,sha256"),
            (answer["Tus-Resumable"], answer["Tus-Version"], answer["Tus-Extension"], answer["Tus-Max-Size"], answer["Tus-Checksum-Algorithm"]));
    }

    [Fact]
    public async Task Photo_SentInPieces_IsAnsweredAsThatOfAForm()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var (_, expected) = await caller.AddAsync(await caller.NewSetAsync(), ("dad.png", Large));
        Assert.True(Large.Length > 5_000_000, $"{Large.Length}");
        var set = await caller.NewSetAsync();
        var upload = await caller.TusBegunAsync(set, Large.Length, ("filename", "dad.png"), ("sha256", Convert.ToHexStringLower(SHA256.HashData(Large))), ("x", "y"));
        var offset = 0;
        foreach (var size in new[] { 1, 1000, 2_097_151, 2_097_152, 1 })
        {
            var answer = await caller.TusPatchAsync(upload, offset, Large[offset..(offset + size)]);
            offset += size;
            Assert.True(answer.Status == HttpStatusCode.NoContent && answer.Offset == offset, $"{answer}");
            var head = await caller.TusHeadAsync(upload);
            Assert.Equal((HttpStatusCode.OK, offset, $"{Large.Length}", "no-store"), (head.Status, head.Offset, head["Upload-Length"], head["Cache-Control"]));
            Assert.StartsWith("filename ZGFkLnBuZw==,", head["Upload-Metadata"], StringComparison.Ordinal);
            Assert.True(DateTimeOffset.Parse(head["Upload-Expires"]!, System.Globalization.CultureInfo.InvariantCulture) > DateTimeOffset.UtcNow.AddHours(1));
        }

        // What was filled up later is kept once.
        await uploads.WaitForKeysAsync($"{TusSteps.TusId(upload):n}", 3);
        Assert.Equal("receiving", (await caller.LookAsync(upload)).Body.GetProperty("state").GetString());
        var last = await caller.TusPatchAsync(upload, offset, Large[offset..]);
        Assert.True(last.Status == HttpStatusCode.NoContent && last.Offset == Large.Length, $"{last}");

        var (status, detail) = await caller.LookAsync(upload);
        Assert.True(status == HttpStatusCode.OK && detail.GetProperty("state").GetString() == "accepted", $"{status} {detail}");
        var photo = detail.GetProperty("photo");
        foreach (var name in new[] { "file_name", "width", "height", "bytes", "sha256", "source_sha256" })
        {
            Assert.Equal(expected.GetProperty("photos")[0].GetProperty(name).ToString(), photo.GetProperty(name).ToString());
        }

        await uploads.WaitForKeysAsync($"{TusSteps.TusId(upload):n}", 0);
        Assert.Equal(Large.Length, (await caller.TusHeadAsync(upload)).Offset);
        var repeated = await caller.TusPatchAsync(upload, Large.Length, []);
        Assert.True(repeated.Status == HttpStatusCode.NoContent, $"{repeated}");
        Assert.Equal(1, (await caller.LookAsync($"/api/photo-sets/{set}")).Body.GetProperty("photo_count").GetInt32());
        await uploads.EverythingMatchesAsync();
    }

    [Fact]
    public async Task Connection_DroppedInMidPiece_KeepsWhatArrivedAndIsResumed()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var upload = await caller.TusBegunAsync(set, Large.Length);
        long kept = 0;
        foreach (var until in new[] { 300_000, 2_500_000, 4_600_000 })
        {
            await Assert.ThrowsAsync<HttpRequestException>(() => caller.TusPatchAsync(upload, kept, new BreakingContent(Large[(int)kept..until], Large.Length - kept)));
            var wanted = until;
            await Eventually.TrueAsync(async () =>
            {
                var head = await caller.TusHeadAsync(upload);
                return (head.Offset == wanted, $"{head}");
            });
            kept = until;
        }

        var last = await caller.TusPatchAsync(upload, kept, Large[(int)kept..]);
        Assert.True(last.Status == HttpStatusCode.NoContent, $"{last}");
        var photo = (await caller.LookAsync(upload)).Body.GetProperty("photo");
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(Large)), photo.GetProperty("source_sha256").GetString());
        await uploads.EverythingMatchesAsync();
    }

    [Fact]
    public async Task TwoRequests_WritingAtOnce_NeverMixTheirBytes()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var upload = await caller.TusBegunAsync(set, Large.Length);
        var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => caller.TusPatchAsync(upload, 0, Large[..5_000_000])));
        Assert.All(answers, answer => Assert.True(answer.Status is HttpStatusCode.NoContent || answer.Body.Code() == "upload_offset_mismatch", $"{answer}"));
        Assert.Single(answers, answer => answer.Status == HttpStatusCode.NoContent);
        var offset = (await caller.TusHeadAsync(upload)).Offset;
        Assert.Equal(5_000_000, offset);
        var ends = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => caller.TusPatchAsync(upload, offset, Large[(int)offset..])));
        Assert.Contains(ends, answer => answer.Status == HttpStatusCode.NoContent);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(Large)), (await caller.LookAsync(upload)).Body.GetProperty("photo").GetProperty("source_sha256").GetString());
        Assert.Equal(1, (await caller.LookAsync($"/api/photo-sets/{set}")).Body.GetProperty("photo_count").GetInt32());
        await uploads.EverythingMatchesAsync();
    }

    [Theory]
    [InlineData("text", "photo_not_an_image")]
    [InlineData("truncated", "photo_truncated")]
    [InlineData("other bytes", "checksum_mismatch")]
    [InlineData("good", null)]
    public async Task LastPiece_OfABadPhoto_AnswersItsProblemAndLeavesNothing(string kind, string? code)
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var bytes = kind switch { "text" => "hello, this is text"u8.ToArray(), "truncated" => Small[..(Small.Length / 2)], _ => Small };
        var promised = Convert.ToHexStringLower(SHA256.HashData(kind == "other bytes" ? Large : bytes));
        var upload = await caller.TusBegunAsync(set, bytes.Length, ("sha256", promised));
        Assert.Equal(HttpStatusCode.NoContent, (await caller.TusPatchAsync(upload, 0, bytes[..10])).Status);
        var last = await caller.TusPatchAsync(upload, 10, bytes[10..]);
        if (code is null)
        {
            Assert.True(last.Status == HttpStatusCode.NoContent, $"{last}");
            return;
        }

        Assert.True(last.Status == HttpStatusCode.UnprocessableEntity && last.Body.Code() == code, $"{last}");
        Assert.Equal("1.0.0", last["Tus-Resumable"]);
        var again = await caller.TusPatchAsync(upload, 10, bytes[10..]);
        Assert.True(again.Body.Code() == code, $"{again}");
        Assert.Equal(HttpStatusCode.Gone, (await caller.TusHeadAsync(upload)).Status);
        var (_, detail) = await caller.LookAsync(upload);
        Assert.Equal(("rejected", code), (detail.GetProperty("state").GetString(), detail.GetProperty("rejected").Code()));
        await uploads.WaitForKeysAsync($"{TusSteps.TusId(upload):n}", 0);
        Assert.Equal(0, (await caller.LookAsync($"/api/photo-sets/{set}")).Body.GetProperty("photo_count").GetInt32());
        await uploads.EverythingMatchesAsync();
    }

    [Theory]
    [InlineData("sha1")]
    [InlineData("sha256")]
    public async Task Piece_WithAChecksum_IsTakenWholeOrNotAtAll(string algorithm)
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var upload = await caller.TusBegunAsync(set, Large.Length);
        var piece = Large[..3_000_000];
#pragma warning disable CA5350 // The protocol demands it.
        var digest = Convert.ToBase64String(algorithm == "sha1" ? SHA1.HashData(piece) : SHA256.HashData(piece));
#pragma warning restore CA5350
        var damaged = piece.ToArray();
        damaged[^1] ^= 1;
        var refused = await caller.TusPatchAsync(upload, 0, damaged, ("Upload-Checksum", $"{algorithm} {digest}"));
        Assert.True((int)refused.Status == 460 && refused.Body.Code() == "checksum_mismatch", $"{refused}");
        Assert.Equal(0, (await caller.TusHeadAsync(upload)).Offset);
        var taken = await caller.TusPatchAsync(upload, 0, piece, ("Upload-Checksum", $"{algorithm} {digest}"));
        Assert.True(taken.Status == HttpStatusCode.NoContent && taken.Offset == piece.Length, $"{taken}");
        var unknown = await caller.TusPatchAsync(upload, piece.Length, Large[piece.Length..], ("Upload-Checksum", "md5 AAAAAAAAAAAAAAAAAAAAAA=="));
        Assert.True(unknown.Body.Code() == "checksum_algorithm_unsupported", $"{unknown}");
        Assert.Equal(HttpStatusCode.NoContent, (await caller.TusPatchAsync(upload, piece.Length, Large[piece.Length..])).Status);
        await uploads.EverythingMatchesAsync();
    }

    [Fact]
    public async Task Request_AgainstTheProtocol_IsRefusedWithItsCode()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var path = $"/api/photo-sets/{set}/tus";
        var upload = await caller.TusBegunAsync(set, Small.Length);
        await RefusedAsync(412, "tus_version_unsupported", () => caller.TusAsync(HttpMethod.Post, path, version: null, headers: ("Upload-Length", "10")));
        await RefusedAsync(412, "tus_version_unsupported", () => caller.TusAsync(HttpMethod.Patch, upload, version: "0.2.2"));
        await RefusedAsync(400, "upload_length_required", () => caller.TusAsync(HttpMethod.Post, path));
        await RefusedAsync(400, "upload_length_required", () => caller.TusAsync(HttpMethod.Post, path, headers: ("Upload-Defer-Length", "1")));
        await RefusedAsync(400, "upload_length_required", () => caller.TusAsync(HttpMethod.Post, path, headers: ("Upload-Length", "-1")));
        await RefusedAsync(422, "upload_size_invalid", () => caller.TusBeginAsync(set, 0));
        await RefusedAsync(413, "photo_too_large", () => caller.TusBeginAsync(set, 20_971_521));
        await RefusedAsync(400, "upload_metadata_invalid", () => caller.TusAsync(HttpMethod.Post, path, headers: [("Upload-Length", "10"), ("Upload-Metadata", "filename !!")]));
        await RefusedAsync(422, "upload_sha256_invalid", () => caller.TusBeginAsync(set, 10, ("sha256", "12")));
        await RefusedAsync(409, "upload_offset_mismatch", () => caller.TusPatchAsync(upload, 5, Small[5..]));
        await RefusedAsync(413, "upload_too_long", () => caller.TusPatchAsync(upload, 0, [.. Small, 0]));
        await RefusedAsync(415, null, () => caller.TusAsync(HttpMethod.Patch, upload, new StringContent("x"), headers: ("Upload-Offset", "0")));
        using var octets = new ByteArrayContent(Small);
        octets.Headers.ContentType = new("application/offset+octet-stream");
        await RefusedAsync(400, "upload_offset_required", () => caller.TusAsync(HttpMethod.Patch, upload, octets));
        Assert.Equal(412, (int)(await caller.TusAsync(HttpMethod.Head, upload, version: null)).Status);
        Assert.Equal("1.0.0", (await caller.TusAsync(HttpMethod.Head, upload, version: null))["Tus-Version"]);

        // The upload took no harm.
        Assert.Equal(0, (await caller.TusHeadAsync(upload)).Offset);
        Assert.Equal(HttpStatusCode.NoContent, (await caller.TusPatchAsync(upload, 0, Small)).Status);

        static async Task RefusedAsync(int status, string? code, Func<Task<TusAnswer>> call)
        {
            var answer = await call();
            Assert.True((int)answer.Status == status && (code is null || answer.Body.Code() == code), $"{status} {code}: {answer}");
            Assert.True(code is null || answer["Tus-Resumable"] == "1.0.0", $"{answer}");
        }
    }

    [Fact]
    public async Task Body_LongerThanPromisedWithoutSayingSo_IsRefused()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var upload = await caller.TusBegunAsync(await caller.NewSetAsync(), Small.Length);
        using var endless = new StreamContent(new MemoryStream([.. Small, 0]));
        using var request = new HttpRequestMessage(HttpMethod.Patch, upload) { Content = endless };
        request.Headers.TransferEncodingChunked = true;
        request.Headers.Add("Tus-Resumable", "1.0.0");
        request.Headers.Add("Upload-Offset", "0");
        endless.Headers.ContentType = new("application/offset+octet-stream");
        using var answer = await caller.SendAsync(request);
        var (status, problem) = await answer.ReadAsync();
        Assert.True((int)status == 413 && problem.Code() == "upload_too_long", $"{status} {problem}");
        Assert.Equal(HttpStatusCode.NoContent, (await caller.TusPatchAsync(upload, 0, Small)).Status);
    }

    [Fact]
    public async Task Upload_OfSomebodyElse_IsNotFound()
    {
        using var owner = uploads.As(Guid.NewGuid());
        using var other = uploads.As(Guid.NewGuid());
        var set = await owner.NewSetAsync();
        var upload = await owner.TusBegunAsync(set, Small.Length);
        Assert.Equal(HttpStatusCode.NoContent, (await owner.TusPatchAsync(upload, 0, Small[..100])).Status);
        Assert.Equal("photo_set_not_found", (await other.TusBeginAsync(set, 10)).Body.Code());
        Assert.Equal(HttpStatusCode.NotFound, (await other.TusHeadAsync(upload)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await other.LookAsync(upload)).Status);
        Assert.Equal("upload_not_found", (await other.TusPatchAsync(upload, 100, Small[100..])).Body.Code());
        Assert.Equal("upload_not_found", (await other.TusAsync(HttpMethod.Delete, upload)).Body.Code());
        var moved = upload.Replace($"{set}", $"{await owner.NewSetAsync()}", StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await owner.TusHeadAsync(moved)).Status);
        Assert.Equal(HttpStatusCode.NoContent, (await owner.TusPatchAsync(upload, 100, Small[100..])).Status);
    }

    [Fact]
    public async Task Upload_Terminated_IsGoneWithItsBytes()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var upload = await caller.TusBegunAsync(await caller.NewSetAsync(), Small.Length);
        Assert.Equal(HttpStatusCode.NoContent, (await caller.TusPatchAsync(upload, 0, Small[..100])).Status);
        await uploads.WaitForKeysAsync($"{TusSteps.TusId(upload):n}", 1);
        Assert.Equal(HttpStatusCode.NoContent, (await caller.TusAsync(HttpMethod.Delete, upload)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await caller.TusHeadAsync(upload)).Status);
        await uploads.WaitForKeysAsync($"{TusSteps.TusId(upload):n}", 0);
    }

    [Fact]
    public async Task Service_KilledBetweenPieces_GoesOnWhereItStood()
    {
        var account = Guid.NewGuid();
        string upload;
        await using (var service = await ServiceProcess.StartAsync(uploads.Settings()))
        {
            using var caller = uploads.As(account, service.Address);
            upload = await caller.TusBegunAsync(await caller.NewSetAsync(), Large.Length);
            Assert.Equal(HttpStatusCode.NoContent, (await caller.TusPatchAsync(upload, 0, Large[..2_500_000])).Status);
            var sending = caller.TusPatchAsync(upload, 2_500_000, new BreakingContent(Large[2_500_000..4_500_000], Large.Length - 2_500_000));
            await service.KillAsync();
            await Assert.ThrowsAsync<HttpRequestException>(() => sending);
        }

        using var again = uploads.As(account);
        var offset = (int)(await again.TusHeadAsync(upload)).Offset;
        Assert.InRange(offset, 2_500_000, 4_500_000);
        Assert.Equal(HttpStatusCode.NoContent, (await again.TusPatchAsync(upload, offset, Large[offset..])).Status);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(Large)), (await again.LookAsync(upload)).Body.GetProperty("photo").GetProperty("source_sha256").GetString());
        await uploads.EverythingMatchesAsync();
    }
}
