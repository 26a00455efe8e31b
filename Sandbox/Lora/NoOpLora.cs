using System.Buffers.Binary;
using System.Text;
using System.Text.Json;

namespace Flurrty.Sandbox.Lora;

internal enum LoraDamage
{
    None,

    /// <summary>One element of the first tensor is not a number.</summary>
    Nan,

    /// <summary>One element of the first tensor is infinite.</summary>
    Infinity,

    /// <summary>The file ends in the middle of its last tensor.</summary>
    Truncated,

    /// <summary>The length of the header is larger than the file.</summary>
    HeaderLength,

    /// <summary>Two tensors claim the same bytes.</summary>
    Overlap,

    /// <summary>The modules are not those of FLUX.1.</summary>
    OtherModel,

    /// <summary>The file is empty.</summary>
    Empty,
}

/// <summary>
/// A FLUX LoRA in safetensors form that loads and changes nothing: A is small random numbers, B is zero.
/// </summary>
internal sealed class NoOpLora(IReadOnlyList<FluxModule> modules, int rank, int seed, IReadOnlyDictionary<string, string> metadata)
{
    private const int BytesPerElement = 2;

    public async Task WriteAsync(Stream output, LoraDamage damage, CancellationToken cancellationToken)
    {
        if (damage == LoraDamage.Empty)
        {
            return;
        }

        var tensors = Tensors(damage).OrderBy(tensor => tensor.Name, StringComparer.Ordinal).ToList();
        byte[] header = Header(tensors, damage);
        byte[] length = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, damage == LoraDamage.HeaderLength ? ulong.MaxValue >> 8 : (ulong)header.Length);
        await output.WriteAsync(length, cancellationToken);
        await output.WriteAsync(header, cancellationToken);

        byte[] zeros = new byte[1 << 20];
        byte[] noise = Noise();
        bool first = true;
        for (int index = 0; index < tensors.Count; index++)
        {
            long left = tensors[index].Bytes;
            if (damage == LoraDamage.Truncated && index == tensors.Count - 1)
            {
                left /= 2;
            }

            byte[] source = tensors[index].IsA ? noise : zeros;
            while (left > 0)
            {
                int count = (int)Math.Min(left, source.Length);
                if (first && damage is LoraDamage.Nan or LoraDamage.Infinity)
                {
                    byte[] bad = source.AsSpan(0, count).ToArray();
                    BinaryPrimitives.WriteHalfLittleEndian(bad, damage == LoraDamage.Nan ? Half.NaN : Half.PositiveInfinity);
                    await output.WriteAsync(bad, cancellationToken);
                }
                else
                {
                    await output.WriteAsync(source.AsMemory(0, count), cancellationToken);
                }

                first = false;
                left -= count;
            }
        }
    }

    private IEnumerable<Tensor> Tensors(LoraDamage damage)
    {
        foreach (var module in modules)
        {
            string name = damage == LoraDamage.OtherModel ? module.Name.Replace("transformer.", "unet.down_blocks.", StringComparison.Ordinal) : module.Name;
            yield return new($"{name}.lora_A.weight", rank, module.In, IsA: true);
            yield return new($"{name}.lora_B.weight", module.Out, rank, IsA: false);
        }
    }

    private byte[] Header(List<Tensor> tensors, LoraDamage damage)
    {
        var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            foreach (var (key, value) in metadata.OrderBy(entry => entry.Key, StringComparer.Ordinal))
            {
                json.WriteString(key, value);
            }

            json.WriteEndObject();
            long offset = 0;
            foreach (var tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", "F16");
                json.WriteStartArray("shape");
                json.WriteNumberValue(tensor.Rows);
                json.WriteNumberValue(tensor.Columns);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                long begin = damage == LoraDamage.Overlap ? 0 : offset;
                json.WriteNumberValue(begin);
                json.WriteNumberValue(begin + tensor.Bytes);
                json.WriteEndArray();
                json.WriteEndObject();
                offset += tensor.Bytes;
            }

            json.WriteEndObject();
        }

        int padding = (8 - ((int)buffer.Length % 8)) % 8;
        buffer.Write(Encoding.ASCII.GetBytes(new string(' ', padding)));
        return buffer.ToArray();
    }

    // One block of noise serves every tensor: what matters is that it is finite, small and not zero.
    private byte[] Noise()
    {
        byte[] noise = new byte[1 << 20];
#pragma warning disable CA5394 // Weights are not secrets, and a seed makes them repeatable.
        var random = new Random(seed);
        for (int index = 0; index < noise.Length; index += BytesPerElement)
        {
            BinaryPrimitives.WriteHalfLittleEndian(noise.AsSpan(index), (Half)((random.NextDouble() - 0.5) * 0.04));
        }
#pragma warning restore CA5394

        return noise;
    }

    private sealed record Tensor(string Name, int Rows, int Columns, bool IsA)
    {
        public long Bytes => (long)Rows * Columns * BytesPerElement;
    }
}
