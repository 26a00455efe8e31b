using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Flurrty.TrainingService.Models;

/// <summary>The file is no FLUX LoRA, or a broken one. The message says why, in words for the debug summary.</summary>
internal sealed class ModelInvalidException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>What a valid LoRA file holds.</summary>
/// <param name="Layout">How its tensors are named: diffusers, kohya or comfy.</param>
/// <param name="Modules">How many layers it adapts.</param>
/// <param name="Rank">The largest rank among them.</param>
/// <param name="IsNoOp">Whether every up-projection is zero, so that it changes nothing.</param>
internal sealed record LoraSummary(string Layout, int Modules, int Rank, bool IsNoOp);

/// <summary>
/// Checks a safetensors file from a stranger: its header against its length, every shape against FLUX.1, every number for being one.
/// Memory is bounded by the header's limit, whatever the file claims.
/// </summary>
internal static class LoraFile
{
    private const int LengthPrefix = 8;
    private const int MaxHeaderBytes = 8 * 1024 * 1024;
    private const int MaxTensors = 20_000;
    private const int MaxRank = 1024;
    private const int ChunkBytes = 1 << 20;

    public static async Task<LoraSummary> ValidateAsync(Stream file, CancellationToken cancellationToken)
    {
        var tensors = await ReadHeaderAsync(file, cancellationToken);
        var (layout, modules, rank) = FluxModules.Check(tensors, MaxRank);
        var isNoOp = await ScanAsync(file, tensors, cancellationToken);
        return new LoraSummary(layout, modules, rank, isNoOp);
    }

    private static async Task<List<LoraTensor>> ReadHeaderAsync(Stream file, CancellationToken cancellationToken)
    {
        var prefix = new byte[LengthPrefix];
        if (await file.ReadAtLeastAsync(prefix, LengthPrefix, throwOnEndOfStream: false, cancellationToken) < LengthPrefix)
        {
            throw new ModelInvalidException("The file is shorter than a header's length.");
        }

        var headerLength = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (headerLength is < 2 or > MaxHeaderBytes || (long)headerLength > file.Length - LengthPrefix)
        {
            throw new ModelInvalidException("The header's length does not fit the file.");
        }

        var buffer = ArrayPool<byte>.Shared.Rent((int)headerLength);
        try
        {
            var header = buffer.AsMemory(0, (int)headerLength);
            await file.ReadExactlyAsync(header, cancellationToken);
            var tensors = ParseHeader(header);
            CheckLayout(tensors, file.Length - LengthPrefix - (long)headerLength);
            return tensors;
        }
        catch (Exception broken) when (broken is JsonException or EndOfStreamException or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            throw new ModelInvalidException("The header is no safetensors header.", broken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static List<LoraTensor> ParseHeader(ReadOnlyMemory<byte> header)
    {
        if (header.Span[0] != (byte)'{')
        {
            throw new ModelInvalidException("The header is no safetensors header.");
        }

        using var document = JsonDocument.Parse(header, new JsonDocumentOptions { MaxDepth = 8, AllowDuplicateProperties = false });
        var tensors = new List<LoraTensor>();
        foreach (var entry in document.RootElement.EnumerateObject())
        {
            if (entry.NameEquals("__metadata__"))
            {
                if (entry.Value.ValueKind != JsonValueKind.Object
                    || entry.Value.EnumerateObject().Any(static pair => pair.Value.ValueKind != JsonValueKind.String))
                {
                    throw new ModelInvalidException("The header's metadata is not text.");
                }

                continue;
            }

            if (tensors.Count == MaxTensors)
            {
                throw new ModelInvalidException("The header names too many tensors.");
            }

            tensors.Add(ParseTensor(entry));
        }

        return tensors.Count == 0 ? throw new ModelInvalidException("The file holds no tensor.") : tensors;
    }

    private static LoraTensor ParseTensor(JsonProperty entry)
    {
        var dtype = entry.Value.GetProperty("dtype").GetString() switch
        {
            "F16" => TensorType.F16,
            "BF16" => TensorType.BF16,
            "F32" => TensorType.F32,
            _ => throw new ModelInvalidException("A tensor's type is none of F16, BF16 and F32."),
        };
        var shape = entry.Value.GetProperty("shape");
        var offsets = entry.Value.GetProperty("data_offsets");
        if (shape.GetArrayLength() > 4 || offsets.GetArrayLength() != 2)
        {
            throw new ModelInvalidException("A tensor's shape or offsets are malformed.");
        }

        var dimensions = shape.EnumerateArray().Select(static size => size.GetInt32()).ToArray();
        var begin = offsets[0].GetInt64();
        var end = offsets[1].GetInt64();
        long elements = 1;
        foreach (var size in dimensions)
        {
            // At most four dimensions of 2^20: the product cannot overflow before it is refused.
            if (size is < 1 or > 1 << 20 || (elements *= size) > 1L << 40)
            {
                throw new ModelInvalidException("A tensor's shape is out of range.");
            }
        }

        return begin < 0 || end - begin != elements * dtype.Size()
            ? throw new ModelInvalidException("A tensor's offsets do not fit its shape.")
            : new LoraTensor(entry.Name, dtype, dimensions, begin, end);
    }

    /// <summary>Sorts the tensors by place and refuses holes, overlaps and bytes that belong to none.</summary>
    private static void CheckLayout(List<LoraTensor> tensors, long dataLength)
    {
        tensors.Sort(static (a, b) => a.Begin.CompareTo(b.Begin));
        var expected = 0L;
        foreach (var tensor in tensors)
        {
            if (tensor.Begin != expected)
            {
                throw new ModelInvalidException("The tensors do not lie one after the other.");
            }

            expected = tensor.End;
        }

        if (expected != dataLength)
        {
            throw new ModelInvalidException("The data does not end where the last tensor ends.");
        }
    }

    private static async Task<bool> ScanAsync(Stream file, List<LoraTensor> tensors, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            var allZero = true;
            foreach (var tensor in tensors)
            {
                for (var left = tensor.End - tensor.Begin; left > 0;)
                {
                    var chunk = buffer.AsMemory(0, (int)Math.Min(left, ChunkBytes));
                    await file.ReadExactlyAsync(chunk, cancellationToken);
                    left -= chunk.Length;
                    if (!IsFinite(chunk.Span, tensor.Type))
                    {
                        throw new ModelInvalidException("The file holds numbers that are none (NaN or infinite).");
                    }

                    allZero &= !FluxModules.IsUp(tensor.Name) || IsZero(chunk.Span, tensor.Type);
                }
            }

            return allZero;
        }
        catch (EndOfStreamException truncated)
        {
            throw new ModelInvalidException("The file is truncated.", truncated);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>A number is NaN or infinite when all bits of its exponent are set.</summary>
    private static bool IsFinite(ReadOnlySpan<byte> data, TensorType type)
    {
        if (type == TensorType.F32)
        {
            foreach (var value in MemoryMarshal.Cast<byte, uint>(data))
            {
                if ((value & 0x7F80_0000) == 0x7F80_0000)
                {
                    return false;
                }
            }

            return true;
        }

        var exponent = type == TensorType.F16 ? (ushort)0x7C00 : (ushort)0x7F80;
        foreach (var value in MemoryMarshal.Cast<byte, ushort>(data))
        {
            if ((value & exponent) == exponent)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Zero with either sign.</summary>
    private static bool IsZero(ReadOnlySpan<byte> data, TensorType type)
    {
        if (!data.ContainsAnyExcept((byte)0))
        {
            return true;
        }

        if (type == TensorType.F32)
        {
            foreach (var value in MemoryMarshal.Cast<byte, uint>(data))
            {
                if ((value & 0x7FFF_FFFF) != 0)
                {
                    return false;
                }
            }

            return true;
        }

        foreach (var value in MemoryMarshal.Cast<byte, ushort>(data))
        {
            if ((value & 0x7FFF) != 0)
            {
                return false;
            }
        }

        return true;
    }
}

internal enum TensorType
{
    F16,
    BF16,
    F32,
}

internal static class TensorTypes
{
    public static int Size(this TensorType type) => type == TensorType.F32 ? 4 : 2;
}

internal sealed record LoraTensor(string Name, TensorType Type, int[] Shape, long Begin, long End);
