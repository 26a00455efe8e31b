using System.Globalization;
using Flurrty.ImagingChild;
using Flurrty.UploadService.PhotoSets;
using Flurrty.UploadService.Reports;

namespace Flurrty.UploadService.Tests.Reports;

public sealed class InspectionTests
{
    private static readonly PhotoMeasures Fine = new(0.4, 0.5, 0.5, 0.9, 0.01, 0.01, PerceptualHash: 0);

    [Fact]
    public void Photo_ThatIsFine_HasNoFindingAndItsNumbers()
    {
        var report = Of(Photo(1, hash: 0x0F0F)).Photos[Id(1)];
        Assert.Empty(report.Findings);
        Assert.Equal((1600, 1200, "jpeg", 1.333, 0.4), (report.Width, report.Height, report.Format, report.Aspect, report.Sharpness));
        Assert.Equal(new Exposure(0.5, 0.01, 0.01), report.Exposure);
    }

    [Theory]
    [InlineData("blurred", 0.1249, 0.9, 0.5, 0.0, 1600, 1200)]
    [InlineData("", 0.125, 0.9, 0.5, 0.0, 1600, 1200)]
    [InlineData("underexposed", 0.4, 0.449, 0.2, 0.0, 1600, 1200)]
    [InlineData("", 0.4, 0.45, 0.2, 0.0, 1600, 1200)]
    [InlineData("overexposed", 0.4, 1.0, 0.5, 0.251, 1600, 1200)]
    [InlineData("overexposed", 0.4, 1.0, 0.89, 0.0, 1600, 1200)]
    [InlineData("", 0.4, 1.0, 0.88, 0.25, 1600, 1200)]
    [InlineData("low_resolution", 0.4, 0.9, 0.5, 0.0, 511, 800)]
    [InlineData("", 0.4, 0.9, 0.5, 0.0, 512, 800)]
    [InlineData("extreme_aspect", 0.4, 0.9, 0.5, 0.0, 2001, 1000)]
    [InlineData("", 0.4, 0.9, 0.5, 0.0, 1000, 2000)]
    public void Photo_AtALimit_HasTheFindingBeyondIt(string code, double sharpness, double brightest, double median, double white, int width, int height)
    {
        var report = Of(Photo(1, new PhotoMeasures(sharpness, 0.3, median, brightest, 0, white, 1), width: width, height: height)).Photos[Id(1)];
        Assert.Equal(code.Length == 0 ? [] : [code], report.Findings.Select(static finding => finding.Code));
        Assert.All(report.Findings, static finding => Assert.True(finding.Message.Length > 30, finding.Message));
    }

    [Fact]
    public void Photo_WithoutAnEdgeToMeasure_IsNotCalledBlurred() =>
        Assert.Empty(Of(Photo(1, Fine with { Sharpness = null })).Photos[Id(1)].Findings);

    [Fact]
    public void Photos_ThatLookAlike_NameTheEarlierTwin()
    {
        var report = Of(
            Photo(1, hash: 0),
            Photo(2, hash: (1UL << 10) - 1),
            Photo(3, hash: ((1UL << 11) - 1) << 20),
            Photo(4, hash: ulong.MaxValue >> 1, sha256: "same"),
            Photo(5, hash: ulong.MaxValue >> 1, sha256: "same"));
        Assert.Equal([null, Id(1), null, null, null], report.Photos.OrderBy(static pair => pair.Key).Select(static pair => pair.Value.NearDuplicateOf));
        Assert.Equal([null, null, null, null, Id(4)], report.Photos.OrderBy(static pair => pair.Key).Select(static pair => pair.Value.DuplicateOf));
        Assert.Equal("near_duplicate", Assert.Single(report.Photos[Id(2)].Findings).Code);
        Assert.Equal("duplicate", Assert.Single(report.Photos[Id(5)].Findings).Code);
        Assert.Equal(3, report.Set.Accepted);
    }

    [Theory]
    [InlineData(0, 0, "poor", "too_few_photos")]
    [InlineData(2, 0, "poor", "too_few_photos")]
    [InlineData(3, 0, "usable", "few_photos")]
    [InlineData(9, 0, "usable", "few_photos")]
    [InlineData(10, 0, "good", "")]
    [InlineData(20, 0, "good", "")]
    [InlineData(21, 0, "good", "more_than_advised")]
    [InlineData(2, 8, "poor", "too_few_sound_photos many_blurred")]
    [InlineData(8, 9, "poor", "most_photos_flawed many_blurred")]
    [InlineData(12, 4, "usable", "many_blurred")]
    [InlineData(13, 4, "good", "")]
    public void Set_BySoundAndBlurredPhotos_GetsItsVerdict(int sound, int blurred, string verdict, string reasons)
    {
        var photos = Enumerable.Range(1, sound + blurred).Select(number => Photo(number, Fine with { Sharpness = number <= sound ? 0.4 : 0.07, PerceptualHash = Distinct(number) })).ToArray();
        var set = Of(photos).Set;
        Assert.Equal((verdict, reasons), (set.Verdict, string.Join(' ', set.Reasons.Select(static reason => reason.Code))));
        Assert.Equal((sound + blurred, sound, 10, 20, 3), (set.Photos, set.Accepted, set.Advised.Min, set.Advised.Max, set.Advised.Floor));
        Assert.Equal("not_looked_at", set.Faces);
    }

    [Fact]
    public void Set_OfRepeats_IsPoorAndSaysWhy()
    {
        var set = Of([.. Enumerable.Range(1, 12).Select(number => Photo(number, hash: 77))]).Set;
        Assert.Equal(("poor", "too_few_sound_photos many_repeats little_variety"), (set.Verdict, string.Join(' ', set.Reasons.Select(static reason => reason.Code))));
        Assert.Equal(0, set.Variety);
    }

    [Fact]
    public void Set_OfManySizesAndShapes_ShowsTheSpread()
    {
        var set = Of(
            Photo(1, hash: Distinct(1), width: 4000, height: 3000), Photo(2, hash: Distinct(2), width: 600, height: 1200), Photo(3, hash: Distinct(3), width: 1000, height: 900)).Set;
        Assert.Equal(new ResolutionSpread(600, 900, 3000), set.Resolution);
        Assert.Contains("mixed_aspect", set.Reasons.Select(static reason => reason.Code));
        Assert.InRange(set.Variety!.Value, 0.5, 1);
    }

    [Fact]
    public void Set_FromBeforePhotosWereMeasured_SaysSo()
    {
        var set = Of([.. Enumerable.Range(1, 10).Select(number => Photo(number, measures: null))]).Set;
        Assert.Equal(("good", "not_measured", null as double?), (set.Verdict, Assert.Single(set.Reasons).Code, set.Variety));
    }

    [Fact]
    public void Measures_Written_AreReadBack()
    {
        var bytes = new byte[PhotoMeasures.Bytes];
        foreach (var measures in new[] { Fine with { PerceptualHash = 0x123456789ABCDEF }, new PhotoMeasures(null, 0, 1, 0.25, 1, 0.5, null) })
        {
            measures.Write(bytes);
            Assert.Equal(measures, PhotoMeasures.Read(bytes));
            Assert.True(measures.ArePossible);
        }

        Assert.False((Fine with { Mean = double.NaN }).ArePossible);
        Assert.False((Fine with { Sharpness = double.PositiveInfinity }).ArePossible);
        Assert.False((Fine with { ClippedShadows = -0.1 }).ArePossible);
    }

    private static Inspection Of(params Photo[] photos) => Inspection.Of(photos, new NoFaceFinder());

    private static Guid Id(int number) => Guid.Parse(string.Create(CultureInfo.InvariantCulture, $"00000000-0000-0000-0000-{number:d12}"));

    // Any two are about half of the bits apart.
    private static ulong Distinct(int number) => (ulong)new Random(number).NextInt64();

    private static Photo Photo(int number, ulong hash, string? sha256 = null, int width = 1600, int height = 1200) => Photo(number, Fine with { PerceptualHash = hash }, sha256, width, height);

    private static Photo Photo(int number, PhotoMeasures? measures, string? sha256 = null, int width = 1600, int height = 1200) => new()
    {
        Id = Id(number),
        AccountId = Guid.Empty,
        PhotoSetId = Guid.Empty,
        SourceSha256 = "",
        SourceBytes = 1,
        SourceFormat = "jpeg",
        SourceWidth = width,
        SourceHeight = height,
        Sha256 = sha256 ?? number.ToString(CultureInfo.InvariantCulture),
        Crc32 = 0,
        Bytes = 1,
        ThumbnailBytes = 1,
        Width = width,
        Height = height,
        Measures = measures,
    };
}
