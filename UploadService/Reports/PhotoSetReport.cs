using System.Globalization;
using System.Numerics;
using Flurrty.UploadService.PhotoSets;

namespace Flurrty.UploadService.Reports;

/// <summary>What is advised for a training, in photos.</summary>
internal sealed record AdvisedPhotos(int Min, int Max, int Floor);

/// <summary>Shorter sides of the sources, in pixels.</summary>
internal sealed record ResolutionSpread(int Min, int Median, int Max);

/// <summary>
/// Whether a set is worth a training, told from its rows alone: the same rows give the same report.
/// </summary>
/// <param name="Verdict"><c>good</c>, <c>usable</c> or <c>poor</c>.</param>
/// <param name="Reasons">What lowered the verdict, and what else is worth knowing.</param>
/// <param name="Photos">Photos in the set.</param>
/// <param name="Accepted">Photos that nothing speaks against.</param>
/// <param name="Advised">How many photos a training should have.</param>
/// <param name="Resolution">Null for an empty set.</param>
/// <param name="Variety">How far each photo is from the one most like it, 0 (all the same) to 1; null with fewer than two measured photos.</param>
/// <param name="Faces">What is known of the faces.</param>
/// <param name="CaptionWarnings">What is odd about the captions.</param>
internal sealed record PhotoSetReport(
    string Verdict,
    IReadOnlyList<Finding> Reasons,
    int Photos,
    int Accepted,
    AdvisedPhotos Advised,
    ResolutionSpread? Resolution,
    double? Variety,
    string Faces,
    IReadOnlyList<Finding> CaptionWarnings);

/// <summary>The report of a set and of each of its photos.</summary>
internal sealed record Inspection(PhotoSetReport Set, IReadOnlyDictionary<Guid, PhotoReport> Photos)
{
    private const string Good = "good";
    private const string Usable = "usable";
    private const string Poor = "poor";

    /// <param name="photos">All photos of the set, in the order of their ids.</param>
    /// <param name="faces">Who looks at faces.</param>
    /// <param name="triggerWord">The trigger word that the set was last sealed with, if it was.</param>
    public static Inspection Of(IReadOnlyList<Photo> photos, IFaceFinder faces, string? triggerWord = null)
    {
        var reports = new Dictionary<Guid, PhotoReport>();
        for (var index = 0; index < photos.Count; index++)
        {
            reports[photos[index].Id] = Inspect(photos, index);
        }

        return new Inspection(Summarize(photos, reports, faces, CaptionLint.Check([.. photos.Select(static photo => photo.Caption)], triggerWord)), reports);
    }

    /// <summary>The report of a photo by itself, as long as nobody compares it with its set.</summary>
    public static PhotoReport OfOne(Photo photo) => Inspect([photo], 0);

    private static PhotoReport Inspect(IReadOnlyList<Photo> photos, int index)
    {
        var photo = photos[index];
        var earlier = photos.Take(index);
        var duplicate = earlier.FirstOrDefault(other => string.Equals(other.Sha256, photo.Sha256, StringComparison.Ordinal))?.Id;
        var near = duplicate is null ? NearestEarlier(photo, earlier) : null;
        var findings = PhotoJudgement.Of(photo).ToList();
        if (duplicate is not null)
        {
            findings.Add(new Finding("duplicate", "The same picture is in the set already. Delete one of the two: repeated photos teach one moment too well."));
        }
        else if (near is not null)
        {
            findings.Add(new Finding("near_duplicate", "Another photo of the set looks almost the same. Keep the better one, and add a photo with another pose, light or place."));
        }

        return new PhotoReport(
            photo.SourceWidth,
            photo.SourceHeight,
            photo.SourceFormat,
            Math.Round((double)photo.SourceWidth / photo.SourceHeight, 3),
            photo.Measures?.Sharpness is { } sharpness ? Math.Round(sharpness, 3) : null,
            photo.Measures is { } seen ? new Exposure(Math.Round(seen.Mean, 3), Math.Round(seen.ClippedShadows, 3), Math.Round(seen.ClippedHighlights, 3)) : null,
            findings,
            duplicate,
            near);
    }

    private static Guid? NearestEarlier(Photo photo, IEnumerable<Photo> earlier) => earlier
        .Select(other => (other.Id, Distance: DistanceOf(photo, other)))
        .Where(static other => other.Distance <= PhotoJudgement.NearDistance)
        .OrderBy(static other => other.Distance).ThenBy(static other => other.Id)
        .Select(static other => (Guid?)other.Id).FirstOrDefault();

    private static int? DistanceOf(Photo one, Photo other) =>
        one.Measures?.PerceptualHash is { } first && other.Measures?.PerceptualHash is { } second ? BitOperations.PopCount(first ^ second) : null;

    private static PhotoSetReport Summarize(
        IReadOnlyList<Photo> photos, Dictionary<Guid, PhotoReport> reports, IFaceFinder faces, IReadOnlyList<Finding> captionWarnings)
    {
        var sound = reports.Values.Count(static report => report.Findings.Count == 0);
        var variety = VarietyOf(photos);
        var verdict = Good;
        var reasons = new List<Finding>();
        void Add(string lowest, string code, string message)
        {
            reasons.Add(new Finding(code, message));
            verdict = lowest == Poor || verdict == Poor ? Poor : lowest == Usable ? Usable : verdict;
        }

        if (photos.Count < PhotoSet.FewestPhotos)
        {
            Add(Poor, "too_few_photos", Text($"A training needs {PhotoSet.FewestPhotos} photos at least; the set has {photos.Count}. {PhotoJudgement.AdvisedMin} to {PhotoJudgement.AdvisedMax} are best."));
        }
        else if (sound < PhotoSet.FewestPhotos)
        {
            Add(Poor, "too_few_sound_photos", Text($"Only {sound} of {photos.Count} photos have no finding. Replace the others; each says why."));
        }
        else if (sound * 2 < photos.Count)
        {
            Add(Poor, "most_photos_flawed", Text($"{photos.Count - sound} of {photos.Count} photos have a finding. Replace them; a training copies what most of its photos have."));
        }
        else if (sound < PhotoJudgement.AdvisedMin)
        {
            Add(Usable, "few_photos", Text($"{sound} photos without a finding can do, but the result follows them closely. Add more, up to {PhotoJudgement.AdvisedMin} to {PhotoJudgement.AdvisedMax}."));
        }

        foreach (var (codes, code, message) in PhotoJudgement.SetReasons)
        {
            var hit = reports.Values.Count(report => report.Findings.Any(finding => codes.Contains(finding.Code, StringComparer.Ordinal)));
            if (hit > 0 && hit * PhotoJudgement.ShareThatCounts >= photos.Count)
            {
                Add(Usable, code, string.Format(CultureInfo.InvariantCulture, message, hit, photos.Count));
            }
        }

        if (variety < PhotoJudgement.LeastVariety && photos.Count >= PhotoSet.FewestPhotos)
        {
            Add(Usable, "little_variety", "The photos look much alike. Add other poses, distances, clothes, light and places, or the training learns those as part of the person.");
        }

        if (photos.Count > PhotoJudgement.AdvisedMax)
        {
            Add(Good, "more_than_advised", Text($"More than {PhotoJudgement.AdvisedMax} photos seldom help. The best {PhotoJudgement.AdvisedMin} to {PhotoJudgement.AdvisedMax} are enough."));
        }

        if (photos.Count > 1 && photos.Max(AspectOf) > PhotoJudgement.MixedAspect * photos.Min(AspectOf))
        {
            Add(Good, "mixed_aspect", "Wide and tall photos are mixed. Trainers crop them to a common shape: see that the person is in the middle, or crop them alike.");
        }

        if (photos.Any(static photo => photo.Measures is null))
        {
            Add(Good, "not_measured", "Some photos were added before photos were measured. Send them again to have them judged.");
        }

        return new PhotoSetReport(
            verdict, reasons, photos.Count, sound, new AdvisedPhotos(PhotoJudgement.AdvisedMin, PhotoJudgement.AdvisedMax, PhotoSet.FewestPhotos),
            SpreadOf(photos), variety, faces.Summary, captionWarnings);

        static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
    }

    private static double AspectOf(Photo photo) => (double)photo.SourceWidth / photo.SourceHeight;

    private static ResolutionSpread? SpreadOf(IReadOnlyList<Photo> photos)
    {
        var sides = photos.Select(static photo => Math.Min(photo.SourceWidth, photo.SourceHeight)).Order().ToArray();
        return sides is [] ? null : new ResolutionSpread(sides[0], sides[(sides.Length - 1) / 2], sides[^1]);
    }

    // Photos of different things are half of the bits apart.
    private static double? VarietyOf(IReadOnlyList<Photo> photos)
    {
        var nearest = photos.Select(photo => photos.Where(other => other.Id != photo.Id).Min(other => DistanceOf(photo, other))).OfType<int>().ToArray();
        return nearest.Length < 2 ? null : Math.Round(nearest.Average(static distance => Math.Min(1, distance / 32.0)), 2);
    }
}
