namespace Flurrty.UploadService.Reports;

/// <summary>Something that speaks against a photo or a set: a stable code, and what the person can do.</summary>
internal sealed record Finding(string Code, string Message);

/// <summary>How light a photo is; all are parts of 1.</summary>
internal sealed record Exposure(double Mean, double ClippedShadows, double ClippedHighlights);

/// <summary>What is known of one photo before anything is paid for.</summary>
/// <param name="Width">Width of the source, upright, in pixels.</param>
/// <param name="Height">Height of the source.</param>
/// <param name="Format">What the source was: jpeg, png, webp, heic or avif.</param>
/// <param name="Aspect">Width by height.</param>
/// <param name="Sharpness">0.06 (nothing but smooth ramps) to 1; null where there is no edge to measure.</param>
/// <param name="Exposure">Null for a photo that was taken in before photos were measured.</param>
/// <param name="Findings">Empty for a photo that nothing speaks against.</param>
/// <param name="DuplicateOf">The earlier photo of the set with the very same picture.</param>
/// <param name="NearDuplicateOf">The earlier photo of the set that looks the same.</param>
internal sealed record PhotoReport(
    int Width,
    int Height,
    string Format,
    double Aspect,
    double? Sharpness,
    Exposure? Exposure,
    IReadOnlyList<Finding> Findings,
    Guid? DuplicateOf,
    Guid? NearDuplicateOf);
