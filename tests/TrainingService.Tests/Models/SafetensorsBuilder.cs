using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Flurrty.TrainingService.Tests.Models;

/// <summary>Writes safetensors files, sound ones and others.</summary>
internal sealed class SafetensorsBuilder
{
    private readonly List<(string Name, string Type, int[] Shape, byte[] Data)> _tensors = [];

    public Action<JsonObject>? ChangeHeader { get; set; }

    public long? HeaderLength { get; set; }

    public SafetensorsBuilder Tensor(string name, string type, int[] shape, Func<int, byte>? data = null)
    {
        var size = string.Equals(type, "F32", StringComparison.Ordinal) ? 4 : 2;
        var bytes = new byte[shape.Aggregate(size, static (product, length) => product * length)];
        for (var i = 0; data is not null && i < bytes.Length; i++)
        {
            bytes[i] = data(i);
        }

        _tensors.Add((name, type, shape, bytes));
        return this;
    }

    public SafetensorsBuilder Pair(string module, int input, int output, int rank = 4, string type = "F16", bool zero = false) =>
        Tensor($"{module}.lora_A.weight", type, [rank, input], static i => (byte)(i % 8))
            .Tensor($"{module}.lora_B.weight", type, [output, rank], zero ? null : static i => (byte)(i % 8));

    public MemoryStream Build()
    {
        var header = new JsonObject { ["__metadata__"] = new JsonObject { ["format"] = "pt" } };
        var offset = 0L;
        foreach (var (name, type, shape, data) in _tensors)
        {
            header[name] = new JsonObject
            {
                ["dtype"] = type,
                ["shape"] = new JsonArray([.. shape.Select(static length => (JsonNode)length)]),
                ["data_offsets"] = new JsonArray(offset, offset + data.Length),
            };
            offset += data.Length;
        }

        ChangeHeader?.Invoke(header);
        return Join(Encoding.UTF8.GetBytes(header.ToJsonString(new JsonSerializerOptions())), HeaderLength, [.. _tensors.SelectMany(static tensor => tensor.Data)]);
    }

    public static MemoryStream Join(byte[] header, long? headerLength, byte[] data)
    {
        var file = new MemoryStream();
        var prefix = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(prefix, headerLength ?? header.Length);
        file.Write(prefix);
        file.Write(header);
        file.Write(data);
        file.Position = 0;
        return file;
    }
}
