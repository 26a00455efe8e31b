using System.Net;
using Flurrty.UploadService.Tests.Fixtures;

namespace Flurrty.UploadService.Tests.Hostile;

[Collection(UploadsCollection.Name)]
public sealed class HostileFileTests(UploadsFixture uploads)
{
    public static TheoryData<string> Files => [.. HostileFiles.All.Select(static file => file.Name)];

    [Theory]
    [MemberData(nameof(Files))]
    public async Task File_OfTheCatalogue_GetsItsAnswerAndItsTwinIsTaken(string name)
    {
        var file = HostileFiles.All.Single(file => file.Name == name);
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var (status, body) = await caller.AddAsync(set, ($"{name}.jpg", file.Make()));
        if (file.Code.Length > 0)
        {
            Assert.True((status, body.Code()) == (HttpStatusCode.UnprocessableEntity, file.Code), $"{status} {body}");
            Assert.False(string.IsNullOrWhiteSpace(body.GetProperty("detail").GetString()));
        }
        else
        {
            Assert.True(status == HttpStatusCode.Created, $"{status} {body}");
            await CheckAsync(caller, set, Assert.Single(body.GetProperty("photos").EnumerateArray()).GetProperty("id").GetGuid());
        }

        var (twinStatus, twin) = await caller.AddAsync(set, ("twin.jpg", HostileFiles.Twin(file.Twin)));
        Assert.True(twinStatus == HttpStatusCode.Created, $"the twin: {twinStatus} {twin}");
        var (_, look) = await caller.LookAsync($"/api/photo-sets/{set}");
        Assert.Equal(file.Code.Length > 0 ? 1 : 2, look.GetProperty("photo_count").GetInt32());
    }

    /// <summary>What is kept is a plain JPEG: three bands of eight bits, and nothing that came with it.</summary>
    private static async Task CheckAsync(HttpClient caller, Guid set, Guid photo)
    {
        foreach (var part in new[] { "content", "thumbnail" })
        {
            var kept = await caller.GetByteArrayAsync($"/api/photo-sets/{set}/photos/{photo}/{part}");
            Assert.True(TestPhotos.LooksLikeJpeg(kept));
            Assert.True(kept.AsSpan().IndexOf("<?php"u8) < 0 && kept.AsSpan().IndexOf("PK\u0003\u0004"u8) < 0 && kept.AsSpan().IndexOf("xap/1.0"u8) < 0);
            var seen = TestPhotos.ReadMetadata(kept);
            Assert.All(seen, line => Assert.Matches(@"^\[(ExifTool|System|File|Composite|JFIF)\]", line));
            Assert.Contains(seen, line => line.EndsWith("BitsPerSample                   : 8", StringComparison.Ordinal));
            Assert.Contains(seen, line => line.EndsWith("ColorComponents                 : 3", StringComparison.Ordinal));
        }
    }
}
