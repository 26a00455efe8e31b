using System.Buffers;
using System.Formats.Tar;
using System.Security.Cryptography;

namespace Flurrty.TrainingService.Models;

/// <summary>Takes the one LoRA out of the tar that a training yields. No name in the archive becomes a path here.</summary>
internal static class ModelArchive
{
    private const int MaxEntries = 10_000;

    /// <summary>Copies the archive's only .safetensors into <paramref name="target"/> and returns its SHA-256 in lower-case hex.</summary>
    public static async Task<string> ExtractAsync(Stream archive, Stream target, long maxBytes, CancellationToken cancellationToken)
    {
        try
        {
            await using var reader = new TarReader(archive, leaveOpen: true);
            string? sha256 = null;
            var entries = 0;
            while (await reader.GetNextEntryAsync(copyData: false, cancellationToken) is { } entry)
            {
                if (++entries > MaxEntries)
                {
                    throw new ModelInvalidException("The archive has too many entries.");
                }

                if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile)
                    || !entry.Name.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase)
                    || entry.DataStream is null)
                {
                    continue;
                }

                sha256 = sha256 is null
                    ? await CopyAsync(entry.DataStream, target, maxBytes, cancellationToken)
                    : throw new ModelInvalidException("The archive holds more than one .safetensors.");
            }

            return sha256 ?? throw new ModelInvalidException("The archive holds no .safetensors.");
        }
        catch (Exception broken) when (broken is InvalidDataException or EndOfStreamException or FormatException)
        {
            throw new ModelInvalidException("The archive is no tar, or a truncated one.", broken);
        }
    }

    private static async Task<string> CopyAsync(Stream source, Stream target, long maxBytes, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(128 * 1024);
        try
        {
            var total = 0L;
            while (await source.ReadAsync(buffer, cancellationToken) is > 0 and var read)
            {
                if ((total += read) > maxBytes)
                {
                    throw new ModelInvalidException("The model is larger than allowed.");
                }

                hash.AppendData(buffer.AsSpan(0, read));
                await target.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            }

            return Convert.ToHexStringLower(hash.GetHashAndReset());
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
