using Flurrty.ImagingChild;
using Flurrty.UploadService.Tests.Fixtures;

namespace Flurrty.UploadService.Tests.Imaging;

public sealed class HeifTests
{
    [Theory]
    [InlineData("heic", 2000, 1500, 1536, 1152)]
    [InlineData("heic", 320, 480, 320, 480)]
    [InlineData("avif", 1500, 2000, 1152, 1536)]
    [InlineData("avif", 321, 241, 321, 241)]
    public async Task Photo_OfAPhone_IsShrunkToTheLongestSide(string format, int width, int height, int expectedWidth, int expectedHeight)
    {
        using var pool = await Pools.StartAsync();
        using var result = await pool.NormalizeAsync(TestPhotos.Heif(format, width, height, 50));
        Assert.Equal((PhotoRefusal.None, format), (result.Refusal, result.Format.ToString().ToLowerInvariant()));
        Assert.Equal((expectedWidth, expectedHeight, width, height), (result.Width, result.Height, result.SourceWidth, result.SourceHeight));
        var seen = string.Join('\n', TestPhotos.ReadMetadata(result.Photo.ToArray()));
        Assert.Contains($"{expectedWidth}x{expectedHeight}", seen, StringComparison.Ordinal);
        Assert.Contains("YCbCr4:2:0", seen, StringComparison.Ordinal);
        Assert.Contains("BitsPerSample                   : 8", seen, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("heic")]
    [InlineData("avif")]
    public async Task Photo_TurnedByItsContainer_IsTurnedOnce(string format)
    {
        using var pool = await Pools.StartAsync();
        var coded = HeifFile.CodedOf(TestPhotos.Heif(format, 320, 240, 51), 1, 320, 240);
        var straight = HeifFile.Write(1, [coded], format);
        using var upright = await pool.NormalizeAsync(straight);
        Assert.Equal((PhotoRefusal.None, 320, 240), (upright.Refusal, upright.Width, upright.Height));
        using var turned = await pool.NormalizeAsync(HeifFile.Write(1, [coded with { Turns = 3 }], format));
        Assert.Equal((PhotoRefusal.None, 240, 320, 240, 320), (turned.Refusal, turned.Width, turned.Height, turned.SourceWidth, turned.SourceHeight));

        // Phones say the same in EXIF once more; in HEIF that is for information only.
        using var both = await pool.NormalizeAsync(TestPhotos.WithMetadataOf(TestPhotos.Heif(format, 320, 240, 51), format, "-IFD0:Orientation#=6"));
        Assert.Equal((PhotoRefusal.None, 320, 240), (both.Refusal, both.Width, both.Height));
    }

    [Fact]
    public async Task Photo_InTiles_IsPutTogether()
    {
        using var pool = await Pools.StartAsync();
        using var result = await pool.NormalizeAsync(Tiled("heic", 400, 300));
        Assert.Equal((PhotoRefusal.None, 400, 300, PhotoFormat.Heic), (result.Refusal, result.Width, result.Height, result.Format));
        using var avif = await pool.NormalizeAsync(Tiled("avif", 400, 300));
        Assert.Equal((PhotoRefusal.None, 400, 300, PhotoFormat.Avif), (avif.Refusal, avif.Width, avif.Height, avif.Format));
    }

    [Fact]
    public async Task File_WithSeveralPictures_GivesThePrimary()
    {
        using var pool = await Pools.StartAsync();
        HeifItem[] items =
        [
            HeifFile.CodedOf(TestPhotos.Heif("heic", 320, 240, 52), 1, 320, 240),
            HeifFile.CodedOf(TestPhotos.Heif("heic", 256, 512, 53), 2, 256, 512),
        ];
        using var first = await pool.NormalizeAsync(HeifFile.Write(1, items));
        Assert.Equal((PhotoRefusal.None, 320, 240), (first.Refusal, first.Width, first.Height));
        using var second = await pool.NormalizeAsync(HeifFile.Write(2, items));
        Assert.Equal((PhotoRefusal.None, 256, 512), (second.Refusal, second.Width, second.Height));
    }

    [Fact]
    public async Task Brand_ThatDoesNotTellTheCoding_IsDecodedByItsItems()
    {
        using var pool = await Pools.StartAsync();
        using var result = await pool.NormalizeAsync(HeifFile.Write(1, [HeifFile.CodedOf(TestPhotos.Heif("avif", 320, 240, 54), 1, 320, 240)], "mif1", "avif"));
        Assert.Equal((PhotoRefusal.None, PhotoFormat.Avif), (result.Refusal, result.Format));
    }

    [Fact]
    public async Task Child_ForPhones_EndsWhenNobodySendsSuchPhotos()
    {
        using var pool = await Pools.StartAsync(options => options.IdleTime = TimeSpan.FromSeconds(1));
        if (pool.ProcessIds is not [var usual])
        {
            throw new InvalidOperationException("one child was expected");
        }

        using var result = await pool.NormalizeAsync(TestPhotos.Heif("heic", 320, 240, 55));
        Assert.Equal(PhotoRefusal.None, result.Refusal);
        await Eventually.TrueAsync(() => Task.FromResult((pool.ProcessIds is [var left] && left == usual, string.Join(',', pool.ProcessIds))));
        using var next = await pool.NormalizeAsync(TestPhotos.Heif("heic", 320, 240, 55));
        Assert.True(result.Photo.Span.SequenceEqual(next.Photo.Span));
    }

    [Theory]
    [InlineData("msf1", true)]
    [InlineData("avis", true)]
    [InlineData("hevc", true)]
    [InlineData("heic", false)]
    [InlineData("mif1", false)]
    public void Structure_OfASequenceBrand_IsAnimated(string brand, bool animated)
    {
        var file = HeifFile.Write(1, [new HeifItem(1, "hvc1", [1, 2, 3], 640, 480) { Configuration = HeifFile.Box("hvcC", [1]) }], brand);
        var structure = PhotoStructure.Read(PhotoSignature.Sniff(file), file);
        Assert.Equal(animated, structure.Animated);
        Assert.Equal(animated, structure.Width != 640);
    }

    [Fact]
    public void Structure_CutAnywhere_NeverThrows()
    {
        var file = Tiled("heic", 400, 300);
        for (var length = 0; length < Math.Min(file.Length, 2000); length++)
        {
            var structure = PhotoStructure.Read(PhotoFormat.Heic, file.AsSpan(0, length));
            Assert.True(structure.EndsEarly || structure.Width == 0, $"{length} bytes: {structure}");
        }

        Assert.Equal((400, 300, false), (PhotoStructure.Read(PhotoFormat.Heic, file).Width, PhotoStructure.Read(PhotoFormat.Heic, file).Height, PhotoStructure.Read(PhotoFormat.Heic, file).EndsEarly));
    }

    /// <summary>A grid of two by two tiles, as phones write them.</summary>
    internal static byte[] Tiled(string format, ushort width, ushort height)
    {
        var tile = HeifFile.CodedOf(TestPhotos.Heif(format, 256, 256, 56), 1, 256, 256);
        return HeifFile.Write(5, [tile, tile with { Id = 2 }, tile with { Id = 3 }, tile with { Id = 4 }, HeifFile.Grid(5, 2, 2, width, height, [1, 2, 3, 4])], format);
    }
}
