using Flurrty.ServiceDefaults.Problems;

namespace Flurrty.UploadService.ResumableUploads;

/// <summary>The problems that the tus protocol has.</summary>
internal static class TusProblems
{
    private const int ChecksumMismatchStatus = 460;

    public static ProblemException VersionUnsupported() => new(
        412, "tus_version_unsupported", "The version of the tus protocol is not known here.", $"Send the header Tus-Resumable: {Tus.Version}.");

    public static ProblemException LengthRequired() => new(
        400, "upload_length_required", "The size of the file is missing.", "Send the number of its bytes in the header Upload-Length; it cannot be given later.");

    public static ProblemException OffsetRequired() => new(
        400, "upload_offset_required", "The position of the bytes is missing.", "Ask with HEAD where the upload stands and send that number in the header Upload-Offset.");

    public static ProblemException OffsetMismatch(long received) => new(
        409, "upload_offset_mismatch", "The bytes do not follow those that are there.", $"The upload stands at byte {received}, or another request has gone on with it. Ask with HEAD and continue from there.");

    public static ProblemException ContentTypeRequired() => new(
        415, "tus_content_type_required", "The body's type is not accepted here.", $"Send the bytes with Content-Type: {Tus.ContentType}.");

    public static ProblemException TooLong(long length) => new(
        413, "upload_too_long", "There are more bytes than were promised.", $"The upload was begun with a length of {length} bytes. Begin a new one with the right length.");

    public static ProblemException AlgorithmUnsupported() => new(
        400, "checksum_algorithm_unsupported", "The checksum cannot be read.", $"Send Upload-Checksum with one of {Tus.ChecksumAlgorithms} and the digest in base64.");

    public static ProblemException ChecksumMismatch() => new(
        ChecksumMismatchStatus, "checksum_mismatch", "The bytes are not those that were promised.", "They were damaged on the way and are dropped. Send them again from the same offset.");

    public static ProblemException Incomplete() => new(
        400, "request_incomplete", "The request's body did not arrive whole.", "What arrived is kept. Ask with HEAD where the upload stands and continue from there.");
}
