using System.Text.Json;
using Flurrty.ImagingChild;
using Flurrty.ServiceDefaults.Problems;

namespace Flurrty.UploadService.PhotoSets;

/// <summary>Why a file was not taken: a stable code, what is wrong, and what the person can do.</summary>
internal sealed record PhotoProblem(int Status, string Code, string Title, string Detail)
{
    public static string? Write(PhotoProblem? problem) => problem is null ? null : JsonSerializer.Serialize(problem);

    public static PhotoProblem? Read(string? text) => text is null ? null : JsonSerializer.Deserialize<PhotoProblem>(text);
}

/// <summary>The problems that photos and photo sets can have.</summary>
internal static class PhotoProblems
{
    public static PhotoProblem TooMany { get; } = new(
        422, "too_many_photos", "The set is full.", $"A set holds at most {PhotoSet.MostPhotos} photos. Delete some, or start another set.");

    private static PhotoProblem NotAnImage { get; } = new(
        422, "photo_not_an_image", "The file is not a picture.", "Its contents are not those of a JPEG, PNG, WebP, HEIC or AVIF file, whatever its name says. Send the photo itself.");

    private static PhotoProblem UnsupportedFormat { get; } = new(
        422, "photo_format_unsupported", "The picture's format is not taken.", "Send JPEG, PNG, WebP, HEIC or AVIF. Most programs can export or share a photo as JPEG.");

    private static PhotoProblem Truncated { get; } = new(
        422, "photo_truncated", "The file ends before the picture does.", "It was cut off when it was copied or downloaded. Copy it again from where it is whole.");

    private static PhotoProblem Unreadable { get; } = new(
        422, "photo_unreadable", "The picture cannot be decoded.", "The file is damaged, or needs more than a photo should. Open it in a photo program and save it anew as JPEG.");

    private static PhotoProblem TooManyPixels { get; } = new(
        422, "photo_too_many_pixels", "The picture is too large.", "Shrink it first: at most 60 megapixels for an ordinary JPEG, 30 for PNG, WebP, HEIC, AVIF and progressive JPEG.");

    private static PhotoProblem TooSmall { get; } = new(
        422, "photo_too_small", "The picture is too small.", "Send the original photo, not a thumbnail: 512 pixels or more on the shorter side make a good training.");

    private static PhotoProblem Animated { get; } = new(
        422, "photo_animated", "The picture is animated.", "Send a single still picture.");

    public static PhotoProblem TooLarge(int limit) => new(
        413, "photo_too_large", "The file is too large.", $"A photo may have at most {limit / (1024 * 1024)} MB. Export it as JPEG, or shrink it.");

    public static PhotoProblem Of(PhotoRefusal refusal) => refusal switch
    {
        PhotoRefusal.NotAnImage => NotAnImage,
        PhotoRefusal.UnsupportedFormat => UnsupportedFormat,
        PhotoRefusal.Truncated => Truncated,
        PhotoRefusal.TooManyPixels => TooManyPixels,
        PhotoRefusal.TooSmall => TooSmall,
        PhotoRefusal.Animated => Animated,
        _ => Unreadable,
    };

    public static ProblemException SetNotFound() => new(
        404, "photo_set_not_found", "There is no such photo set.", "Check its id. What belongs to somebody else is not shown.");

    public static ProblemException PhotoNotFound() => new(
        404, "photo_not_found", "There is no such photo in this set.", "Check its id against the set's list of photos.");

    public static ProblemException OriginalNotKept() => new(
        404, "original_not_kept", "The original of this photo is not kept.", "Read its `content` instead. Originals are kept in sets that were started with `keep_originals`.");

    public static ProblemException MultipartRequired() => new(
        415, "multipart_required", "Photos are sent as a form.", "Send multipart/form-data with a boundary, each photo as a file in the field `photos`.");

    public static ProblemException MultipartMalformed(string detail) => new(400, "multipart_malformed", "The form could not be read.", detail);

    public static ProblemException TooSlow() => new(
        408, "upload_too_slow", "The photo came too slowly.", "Send it again over a faster connection, or fewer at a time. What was accepted before is kept.");

    public static ProblemException StorageUnavailable() => new(
        503, "storage_unavailable", "Photos cannot be stored or read at the moment.", "Try again in a few seconds; what was accepted is not stored twice.");

    public static ProblemException Unavailable() => new(
        503, "imaging_unavailable", "Photos cannot be decoded at the moment.", "Send the same photos again in a few seconds; what was accepted is not stored twice.");
}
