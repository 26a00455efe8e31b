using System.Text;
using Flurrty.ServiceDefaults.Problems;
using Flurrty.UploadService.PhotoSets;

namespace Flurrty.UploadService.ResumableUploads;

/// <summary>What a sender says about its file in <c>Upload-Metadata</c>: <c>filename</c>, <c>filetype</c> and <c>sha256</c> (64 hexadecimal digits), each in base64.</summary>
internal sealed record UploadMetadata(string? FileName, string? Sha256)
{
    public const int Longest = 4096;

    public static UploadMetadata Parse(string? header)
    {
        if (header is { Length: > Longest })
        {
            throw Invalid();
        }

        string? name = null;
        string? sha256 = null;
        foreach (var pair in (header ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = pair.Split(' ', 2);
            var value = parts.Length == 2 ? Decode(parts[1].Trim()) : "";
            switch (parts[0])
            {
                case "filename" or "name":
                    name ??= value;
                    break;
                case "sha256":
                    sha256 = value is { Length: 64 } && value.All(char.IsAsciiHexDigit) ? value.ToLowerInvariant() : throw UploadProblems.InvalidSha256();
                    break;
                default:
                    break;
            }
        }

        return new UploadMetadata(FileNames.Clean(name), sha256);
    }

    private static string Decode(string text)
    {
        var bytes = new byte[(text.Length * 3 / 4) + 3];
        return Convert.TryFromBase64String(text, bytes, out var count) ? Encoding.UTF8.GetString(bytes, 0, count) : throw Invalid();
    }

    private static ProblemException Invalid() => new(
        400, "upload_metadata_invalid", "The upload's metadata cannot be read.", $"Send Upload-Metadata as `key base64value` pairs separated by commas, at most {Longest} characters.");
}
