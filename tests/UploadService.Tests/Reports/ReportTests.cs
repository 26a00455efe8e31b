using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Flurrty.UploadService.Tests.Fixtures;

namespace Flurrty.UploadService.Tests.Reports;

/// <summary>The report as callers see it.</summary>
[Collection(UploadsCollection.Name)]
public sealed class ReportTests(UploadsFixture uploads)
{
    [Fact]
    public async Task Set_WithGoodAndBadPhotos_ShowsItsReport()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var sharp = TestPhotos.Png(1600, 1200, 920);
        var (status, body) = await caller.AddAsync(
            set,
            ("sharp.png", Blocks(1200, 900, 920)),
            ("again.jpg", TestPhotos.Resave(Blocks(1200, 900, 920), "jpegsave_buffer", "Q=40")),
            ("soft.png", sharp),
            ("dark.png", Picture.Of(TestPhotos.Resave(Blocks(1200, 900, 921), "jpegsave_buffer", "Q=95")).Lighter(0.2).ToPng()),
            ("small.heic", TestPhotos.Heif("heic", 320, 240, 922)));
        Assert.True(status == HttpStatusCode.Created, $"{status} {body}");
        Assert.Equal("heic", body.GetProperty("photos")[4].GetProperty("report").GetProperty("format").GetString());

        var (_, look) = await caller.LookAsync($"/api/photo-sets/{set}");
        var report = look.GetProperty("report");
        Assert.Equal("poor", report.GetProperty("verdict").GetString());
        Assert.Equal((5, 1, "not_looked_at"), (report.GetProperty("photos").GetInt32(), report.GetProperty("accepted").GetInt32(), report.GetProperty("faces").GetString()));
        Assert.Equal((10, 20, 3), (Number(report, "advised", "min"), Number(report, "advised", "max"), Number(report, "advised", "floor")));
        Assert.Equal((240, 900, 1200), (Number(report, "resolution", "min"), Number(report, "resolution", "median"), Number(report, "resolution", "max")));
        Assert.Equal(JsonValueKind.Number, report.GetProperty("variety").ValueKind);
        Assert.Empty(report.GetProperty("caption_warnings").EnumerateArray());

        var photos = look.GetProperty("photos").EnumerateArray().ToDictionary(static photo => photo.GetProperty("file_name").GetString()!, StringComparer.Ordinal);
        Assert.Equal([], Codes(photos["sharp.png"]));
        Assert.Equal(["near_duplicate"], Codes(photos["again.jpg"]));
        Assert.Equal(photos["sharp.png"].GetProperty("id").GetGuid(), photos["again.jpg"].GetProperty("report").GetProperty("near_duplicate_of").GetGuid());
        Assert.Contains("blurred", Codes(photos["soft.png"]));
        Assert.Contains("underexposed", Codes(photos["dark.png"]));
        Assert.Contains("low_resolution", Codes(photos["small.heic"]));
        var exposure = photos["sharp.png"].GetProperty("report").GetProperty("exposure");
        Assert.All(new[] { "mean", "clipped_shadows", "clipped_highlights" }, name => Assert.InRange(exposure.GetProperty(name).GetDouble(), 0, 1));

        // One photo shows the same as its set does.
        var (_, one) = await caller.LookAsync($"/api/photo-sets/{set}/photos/{photos["again.jpg"].GetProperty("id").GetGuid()}");
        Assert.Equal(photos["again.jpg"].GetProperty("report").GetRawText(), one.GetProperty("report").GetRawText());
    }

    [Fact]
    public async Task SamePicture_WithOtherMetadata_IsADuplicate()
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var photo = TestPhotos.Jpeg(800, 600, 930);
        var (status, body) = await caller.AddAsync(set, ("a.jpg", photo), ("b.jpg", TestPhotos.WithMetadata(photo, "-Artist=Jane Roe")));
        Assert.True(status == HttpStatusCode.Created && body.GetProperty("photos").GetArrayLength() == 2, $"{status} {body}");
        var (_, look) = await caller.LookAsync($"/api/photo-sets/{set}");
        var photos = look.GetProperty("photos").EnumerateArray().ToArray();
        Assert.Equal(photos[0].GetProperty("id").GetGuid(), photos[1].GetProperty("report").GetProperty("duplicate_of").GetGuid());
        Assert.Contains("duplicate", Codes(photos[1]));
        Assert.DoesNotContain("duplicate", Codes(photos[0]));
    }

    [Fact]
    public async Task Captions_ThatRepeatATrait_AreWarnedAbout()
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        var set = await caller.NewSetWithPhotosAsync(3, seed: 940);
        var (_, look) = await caller.LookAsync($"/api/photo-sets/{set}");
        string[] captions = ["ZORK with red hair at sea", "ZORK, red hair, indoors", "red hair at night"];
        foreach (var (photo, caption) in look.GetProperty("photos").EnumerateArray().Zip(captions))
        {
            using var answer = await caller.PatchAsJsonAsync($"/api/photo-sets/{set}/photos/{photo.GetProperty("id").GetGuid()}", new { caption });
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        var warnings = await WarningsAsync();
        Assert.Equal(["trigger_missing", "repeated_trait"], warnings);

        // Once the set has been sealed, its word is known.
        using var registry = uploads.AsService("registry", account);
        Assert.Equal(HttpStatusCode.OK, (await registry.SealAsync(Guid.CreateVersion7(), set, "red hair")).Status);
        warnings = await WarningsAsync();
        Assert.Empty(warnings);

        async Task<string[]> WarningsAsync() =>
            [.. (await caller.LookAsync($"/api/photo-sets/{set}")).Body.GetProperty("report").GetProperty("caption_warnings").EnumerateArray().Select(static warning => warning.Code())];
    }

    /// <summary>Sharp squares of many greys and sizes.</summary>
    private static byte[] Blocks(int width, int height, int seed)
    {
        var random = new Random(seed);
        var pixels = new byte[width * height * 3];
        Array.Fill(pixels, (byte)110);
        for (var block = 0; block < 150; block++)
        {
            int side = random.Next(20, 200), left = random.Next(width - side), top = random.Next(height - side);
            var grey = (byte)random.Next(20, 235);
            for (var y = top; y < top + side; y++)
            {
                pixels.AsSpan(((y * width) + left) * 3, side * 3).Fill(grey);
            }
        }

        return Picture.Png(width, height, 8, 2, pixels);
    }

    private static int Number(JsonElement report, string part, string name) => report.GetProperty(part).GetProperty(name).GetInt32();

    private static string[] Codes(JsonElement photo) => [.. photo.GetProperty("report").GetProperty("findings").EnumerateArray().Select(static finding => finding.Code())];
}
