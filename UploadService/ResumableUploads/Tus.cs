using System.Globalization;
using System.Security.Cryptography;

namespace Flurrty.UploadService.ResumableUploads;

/// <summary>Names and values of the tus 1.0 protocol.</summary>
internal static class Tus
{
    public const string Version = "1.0.0";
    public const string Extensions = "creation,termination,expiration,checksum";
    public const string ChecksumAlgorithms = "sha1,sha256";
    public const string ContentType = "application/offset+octet-stream";
    public const string Resumable = "Tus-Resumable";
    public const string UploadOffset = "Upload-Offset";
    public const string UploadLength = "Upload-Length";
    public const string Metadata = "Upload-Metadata";
    public const string Expires = "Upload-Expires";
    public const string Checksum = "Upload-Checksum";

    /// <summary>A number as the protocol writes it, or null.</summary>
    public static long? Number(string? text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : null;
}

/// <summary>A checksum that a request brings of its own bytes.</summary>
internal sealed class ChunkChecksum : IDisposable
{
    private readonly IncrementalHash _hash;
    private readonly byte[] _promised;

    private ChunkChecksum(HashAlgorithmName algorithm, byte[] promised)
    {
        _hash = IncrementalHash.CreateHash(algorithm);
        _promised = promised;
    }

    /// <summary>Reads the header <c>Upload-Checksum</c>; null when there is none.</summary>
    public static ChunkChecksum? Parse(string? header)
    {
        if (string.IsNullOrEmpty(header))
        {
            return null;
        }

        var parts = header.Split(' ', 2);
        var digest = new byte[SHA256.HashSizeInBytes + 3];
        if (parts.Length != 2 || !Convert.TryFromBase64String(parts[1].Trim(), digest, out var length))
        {
            throw TusProblems.AlgorithmUnsupported();
        }

        // The protocol demands SHA-1: it finds damage, it is no protection.
        return (parts[0], length) switch
        {
            ("sha1", SHA1.HashSizeInBytes) => new ChunkChecksum(HashAlgorithmName.SHA1, digest[..length]),
            ("sha256", SHA256.HashSizeInBytes) => new ChunkChecksum(HashAlgorithmName.SHA256, digest[..length]),
            _ => throw TusProblems.AlgorithmUnsupported(),
        };
    }

    public void Append(ReadOnlySpan<byte> bytes) => _hash.AppendData(bytes);

    public bool Matches() => _hash.GetHashAndReset().AsSpan().SequenceEqual(_promised);

    public void Dispose() => _hash.Dispose();
}
