using System.Globalization;
using Flurrty.UploadService.PhotoSets;

namespace Flurrty.UploadService.Reports;

/// <summary>From which numbers on something speaks against a photo. Where they come from is in docs/photo-report.md.</summary>
internal static class PhotoJudgement
{
    public const int AdvisedMin = 10;
    public const int AdvisedMax = 20;

    /// <summary>Below this even the sharpest parts have no steep edge.</summary>
    public const double BlurredBelow = 0.125;

    /// <summary>99 % of an underexposed photo are darker than this.</summary>
    public const double UnderexposedBelow = 0.45;

    /// <summary>So much of an overexposed photo is white…</summary>
    public const double OverexposedWhite = 0.25;

    /// <summary>…or half of it is lighter than this.</summary>
    public const double OverexposedMedian = 0.88;

    /// <summary>Shorter side in pixels below which a photo has too little for a training.</summary>
    public const int LowResolutionBelow = 512;

    /// <summary>Longer side by shorter side above which much of a photo is lost to cropping.</summary>
    public const double ExtremeAspectAbove = 2.0;

    /// <summary>Photos whose perceptual hashes differ in so many bits or fewer look the same.</summary>
    public const int NearDistance = 10;

    /// <summary>A set's variety below this is a reason.</summary>
    public const double LeastVariety = 0.35;

    /// <summary>The widest shape by the narrowest, above which a set is mixed.</summary>
    public const double MixedAspect = 2.0;

    /// <summary>A flaw counts against the set when one photo in so many has it.</summary>
    public const int ShareThatCounts = 4;

    /// <summary>Findings of photos that together are a reason for the set.</summary>
    public static IReadOnlyList<(string[] Findings, string Code, string Message)> SetReasons { get; } =
    [
        (["blurred"], "many_blurred", "{0} of {1} photos are blurred. Replace them with sharp ones: a training learns blur as well."),
        (["underexposed", "overexposed"], "many_badly_exposed", "{0} of {1} photos are too dark or too light. Replace them with evenly lit ones."),
        (["low_resolution"], "many_low_resolution", "{0} of {1} photos are small. Send the originals, not copies from a messenger."),
        (["duplicate", "near_duplicate"], "many_repeats", "{0} of {1} photos repeat another. Delete the repeats and add different ones."),
        (["extreme_aspect"], "many_extreme_aspects", "{0} of {1} photos are very wide or tall. Crop them to the person."),
    ];

    /// <summary>What speaks against a photo by itself.</summary>
    public static IEnumerable<Finding> Of(Photo photo)
    {
        if (photo.Measures is { } seen)
        {
            if (seen.Sharpness < BlurredBelow)
            {
                yield return new Finding("blurred", "Nothing in the photo is sharp. Take it again with a steady hand and the focus on the face, or leave it out.");
            }

            if (seen.Brightest < UnderexposedBelow)
            {
                yield return new Finding("underexposed", "The photo is too dark. Brighten it, or take it again in more light.");
            }
            else if (seen.ClippedHighlights > OverexposedWhite || seen.Median > OverexposedMedian)
            {
                yield return new Finding("overexposed", "Much of the photo is plain white. Darken the original, or take it again with less light from the front or behind.");
            }
        }

        int shorter = Math.Min(photo.SourceWidth, photo.SourceHeight), longer = Math.Max(photo.SourceWidth, photo.SourceHeight);
        if (shorter < LowResolutionBelow)
        {
            yield return new Finding("low_resolution", string.Create(CultureInfo.InvariantCulture, $"The shorter side has {shorter} pixels. Send the original with {LowResolutionBelow} or more, not a thumbnail or a copy from a messenger."));
        }

        if (longer > ExtremeAspectAbove * shorter)
        {
            yield return new Finding("extreme_aspect", "The photo is very wide or tall, and trainers crop it. Crop it yourself so that the person fills it.");
        }
    }
}
