using System.Collections.Concurrent;
using System.Globalization;
using System.Numerics;
using System.Text;
using Flurrty.ImagingChild;
using Flurrty.UploadService.Imaging;
using Flurrty.UploadService.PhotoSets;
using Flurrty.UploadService.Reports;
using Flurrty.UploadService.Tests.Fixtures;

namespace Flurrty.UploadService.Tests.Reports;

/// <summary>
/// Spoils good photos by seed and counts what the report says. Always on the drawn portraits of samples/photos; on photographs when
/// eng/imaging/report_table.sh gives their folder, which also puts the table into docs/photo-report.md.
/// </summary>
public sealed class ReportTableTests
{
    private static readonly (string Name, string? Expected, bool Near, Func<Picture, int, byte[]> Spoil)[] Variants =
    [
        ("as it is", null, true, static (photo, _) => photo.ToPng()),
        ("blur, sigma 2.5", null, true, static (photo, _) => photo.Blurred(2.5 * Scale(photo)).ToPng()),
        ("blur, sigma 4.5", "blurred", true, static (photo, _) => photo.Blurred(4.5 * Scale(photo)).ToPng()),
        ("blur, sigma 6.5", "blurred", true, static (photo, _) => photo.Blurred(6.5 * Scale(photo)).ToPng()),
        ("shaken, 20 pixels", "blurred", true, static (photo, _) => photo.Shaken((int)(20 * Scale(photo))).ToPng()),
        ("blur, sigma 4.5, and noise, sigma 10", "blurred", true, static (photo, seed) => photo.Blurred(4.5 * Scale(photo)).Noisy(10, seed).ToPng()),
        ("noise, sigma 10", null, true, static (photo, seed) => photo.Noisy(10, seed).ToPng()),
        ("noise, sigma 25", null, true, static (photo, seed) => photo.Noisy(25, seed).ToPng()),
        ("light x 0.25", "underexposed", true, static (photo, _) => photo.Lighter(0.25).ToPng()),
        ("light x 0.4", "underexposed", true, static (photo, _) => photo.Lighter(0.4).ToPng()),
        ("light x 2", "overexposed", false, static (photo, _) => photo.Lighter(2).ToPng()),
        ("light x 3", "overexposed", false, static (photo, _) => photo.Lighter(3).ToPng()),
        ("JPEG quality 30", null, true, static (photo, _) => TestPhotos.Resave(photo.ToPng(), "jpegsave_buffer", "Q=30")),
        ("half the size", null, true, static (photo, _) => photo.Halved().ToPng()),
        ("3 % cropped at each side", null, true, static (photo, _) => photo.Cropped(0.03).ToPng()),
        ("25 % cropped at each side", null, false, static (photo, _) => photo.Cropped(0.25).ToPng()),
    ];

    [Fact]
    public async Task Samples_SpoiledBySeed_AreToldFromGoodOnes()
    {
        var samples = Directory.EnumerateFiles(Path.Combine(NativeInfrastructure.Repository.Root, "samples", "photos")).Order(StringComparer.Ordinal).ToArray();
        Assert.Equal(12, samples.Length);
        var table = await CountAsync(samples);
        CheckBounds(table, overexposed: 0.3);
    }

    [FactWithPhotographs]
    public async Task Photographs_SpoiledBySeed_AreToldFromGoodOnes()
    {
        var photographs = Directory.EnumerateFiles(FactWithPhotographsAttribute.Folder!).Order(StringComparer.Ordinal).ToArray();
        Assert.True(photographs.Length >= 20, $"{photographs.Length} photographs");
        var table = await CountAsync(photographs);
        if (Environment.GetEnvironmentVariable("FLURRTY_REPORT_TABLE") is { Length: > 0 } target)
        {
            await File.WriteAllTextAsync(target, table.ToMarkdown());
        }

        CheckBounds(table, overexposed: 0.8);
    }

    // These bounds are in docs/photo-report.md.
    private static void CheckBounds(Table table, double overexposed)
    {
        var text = table.ToMarkdown();
        void AtLeast(double part, string variant, string finding) => Assert.True(table.Part(variant, finding) >= part, $"{variant}, {finding}: less than {part}\n{text}");
        void AtMost(double part, string variant, string finding) => Assert.True(table.Part(variant, finding) <= part, $"{variant}, {finding}: more than {part}\n{text}");
        AtLeast(0.9, "blur, sigma 4.5", "blurred");
        AtLeast(0.95, "blur, sigma 6.5", "blurred");
        AtLeast(0.75, "shaken, 20 pixels", "blurred");
        AtLeast(0.75, "blur, sigma 4.5, and noise, sigma 10", "blurred");
        AtLeast(0.95, "light x 0.25", "underexposed");
        AtLeast(0.95, "light x 0.4", "underexposed");
        AtLeast(overexposed, "light x 3", "overexposed");
        foreach (var finding in new[] { "blurred", "underexposed", "overexposed" })
        {
            foreach (var variant in new[] { "as it is", "noise, sigma 10", "noise, sigma 25", "JPEG quality 30", "half the size", "3 % cropped at each side" })
            {
                AtMost(0.05, variant, finding);
            }

            AtMost(0.1, "25 % cropped at each side", finding);
        }

        foreach (var variant in new[] { "JPEG quality 30", "half the size", "noise, sigma 25", "blur, sigma 4.5", "light x 0.4" })
        {
            AtLeast(1, variant, "near_duplicate");
        }

        AtLeast(0.7, "3 % cropped at each side", "near_duplicate");
        Assert.True(table.FalsePairs == 0, $"{table.FalsePairs} pairs of different photos look the same");
    }

    private static async Task<Table> CountAsync(string[] files)
    {
        using var pool = await Pools.StartAsync(options => options.Children = Environment.ProcessorCount);
        var counts = new ConcurrentDictionary<(string Variant, string Finding), int>();
        var originals = new ConcurrentDictionary<string, PhotoMeasures>(StringComparer.Ordinal);
        await Parallel.ForEachAsync(files.Index(), new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, async (file, token) =>
        {
            using var clean = await pool.NormalizeAsync(await File.ReadAllBytesAsync(file.Item, token));
            Assert.True(clean.Refusal == PhotoRefusal.None, $"{file.Item}: {clean.Refusal}");
            originals[file.Item] = clean.Measures!;
            var photo = Picture.Of(clean.Photo.ToArray());
            foreach (var (name, _, _, spoil) in Variants)
            {
                using var result = await pool.NormalizeAsync(spoil(photo, file.Index));
                Assert.True(result.Refusal == PhotoRefusal.None, $"{file.Item}, {name}: {result.Refusal}");
                foreach (var finding in PhotoJudgement.Of(PhotoOf(result)))
                {
                    counts.AddOrUpdate((name, finding.Code), 1, static (_, count) => count + 1);
                }

                if (DistanceOf(clean.Measures!, result.Measures!) <= PhotoJudgement.NearDistance)
                {
                    counts.AddOrUpdate((name, "near_duplicate"), 1, static (_, count) => count + 1);
                }
            }
        });
        var all = originals.OrderBy(static pair => pair.Key, StringComparer.Ordinal).Select(static pair => pair.Value).ToArray();
        var pairs = all.SelectMany((one, index) => all.Skip(index + 1).Select(other => DistanceOf(one, other))).ToArray();
        return new Table(files.Length, counts.ToDictionary(), pairs.Length, pairs.Count(static distance => distance <= PhotoJudgement.NearDistance));
    }

    // A photo that is white all over has no hash, and looks like no other.
    private static int DistanceOf(PhotoMeasures one, PhotoMeasures other) =>
        one.PerceptualHash is { } first && other.PerceptualHash is { } second ? BitOperations.PopCount(first ^ second) : int.MaxValue;

    private static Photo PhotoOf(ImagingResult result) => new()
    {
        Id = Guid.NewGuid(),
        AccountId = Guid.Empty,
        PhotoSetId = Guid.Empty,
        SourceSha256 = "",
        SourceBytes = 1,
        SourceFormat = "png",
        SourceWidth = result.SourceWidth,
        SourceHeight = result.SourceHeight,
        Sha256 = "",
        Crc32 = 0,
        Bytes = 1,
        ThumbnailBytes = 1,
        Width = result.Width,
        Height = result.Height,
        Measures = result.Measures,
    };

    // What is said of blur is meant at 1536 pixels.
    private static double Scale(Picture photo) => Math.Max(photo.Width, photo.Height) / 1536.0;

    private sealed record Table(int Photos, IReadOnlyDictionary<(string Variant, string Finding), int> Counts, int Pairs, int FalsePairs)
    {
        private static readonly string[] Findings = ["blurred", "underexposed", "overexposed", "near_duplicate"];

        public double Part(string variant, string finding) => (double)Counts.GetValueOrDefault((variant, finding)) / Photos;

        public string ToMarkdown()
        {
            var text = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"| {Photos} photos of each | `blurred` | `underexposed` | `overexposed` | `near_duplicate` of the original |\n|---|---|---|---|---|\n"));
            foreach (var (name, expected, near, _) in Variants)
            {
                text.Append(CultureInfo.InvariantCulture, $"| {name} |");
                foreach (var finding in Findings)
                {
                    var count = Counts.GetValueOrDefault((name, finding));
                    var wanted = finding == expected || (near && finding == "near_duplicate");
                    text.Append(wanted ? string.Create(CultureInfo.InvariantCulture, $" **{count}** |") : string.Create(CultureInfo.InvariantCulture, $" {count} |"));
                }

                text.Append('\n');
            }

            return text.Append(CultureInfo.InvariantCulture, $"\nOf {Pairs} pairs of different photos, {FalsePairs} were taken for near-duplicates.\n").ToString();
        }
    }
}

/// <summary>Runs only when a folder of photographs is given: they are not part of the repository.</summary>
internal sealed class FactWithPhotographsAttribute : FactAttribute
{
    public FactWithPhotographsAttribute()
    {
        if (Folder is null)
        {
            Skip = "FLURRTY_PHOTOGRAPHS names no folder; eng/imaging/report_table.sh fetches photographs and runs this.";
        }
    }

    public static string? Folder => Environment.GetEnvironmentVariable("FLURRTY_PHOTOGRAPHS") is { Length: > 0 } folder && Directory.Exists(folder) ? folder : null;
}
