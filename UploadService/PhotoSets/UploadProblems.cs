using Flurrty.ServiceDefaults.Problems;

namespace Flurrty.UploadService.PhotoSets;

/// <summary>The problems that uploads of more than one request can have.</summary>
internal static class UploadProblems
{
    public static PhotoProblem ChecksumMismatch { get; } = new(
        422, "checksum_mismatch", "The bytes are not those that were promised.", "Their number or SHA-256 is another. Begin a new upload with the size and SHA-256 of the file as it is.");

    public static PhotoProblem NotReceived { get; } = new(
        409, "upload_not_received", "The file has not arrived yet.", "Put it to the URL that was given, with the headers that were given, and complete it then. When the URL has expired, begin a new upload.");

    public static PhotoProblem PhotoDeleted { get; } = new(
        404, "photo_not_found", "There is no such photo in this set.", "The photo was accepted and has been deleted since. Upload it anew if you want it back.");

    public static ProblemException NotFound() => new(
        404, "upload_not_found", "There is no such upload.", "Check its id, or begin a new upload. What belongs to somebody else is not shown.");

    public static ProblemException Expired() => new(
        410, "upload_expired", "The upload has expired.", "Its bytes are removed. Begin a new upload.");

    public static ProblemException InvalidSize(long most) => new(
        422, "upload_size_invalid", "The size of a file cannot be right.", $"Give the number of its bytes, 1 to {most}.");

    public static ProblemException InvalidSha256() => new(
        422, "upload_sha256_invalid", "The SHA-256 of a file cannot be right.", "Give the SHA-256 of its bytes as 64 hexadecimal digits.");

    public static ProblemException InvalidContentType() => new(
        422, "upload_content_type_invalid", "The content type of a file cannot be right.", "Give its media type, such as image/jpeg, or leave it out.");

    public static ProblemException FilesMissing() => new(
        422, "files_missing", "The request names no files.", "Name each file in `files` with its name, size, sha256 and content_type.");

    public static ProblemException AsException(this PhotoProblem problem) => new(problem.Status, problem.Code, problem.Title, problem.Detail);
}
