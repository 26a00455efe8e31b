using System.Buffers.Binary;
using System.Formats.Tar;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Flurrty.Sandbox.Tests.Support;

namespace Flurrty.Sandbox.Tests;

/// <summary>What a finished training yields, read by a reader that shares no code with the writer.</summary>
public sealed class LoraTests
{
    [Fact]
    public async Task Weights_AreATarWithOneLoraAConfigAndCaptions()
    {
        var entries = Entries(await WeightsAsync());

        Assert.Equal(
            [
                "output/flux_train_replicate/",
                "output/flux_train_replicate/captions/",
                "output/flux_train_replicate/captions/photo1.txt",
                "output/flux_train_replicate/captions/photo2.txt",
                "output/flux_train_replicate/captions/photo3.txt",
                "output/flux_train_replicate/captions/photo4.txt",
                "output/flux_train_replicate/config.yaml",
                "output/flux_train_replicate/lora.safetensors",
            ],
            entries.Keys.Order(StringComparer.Ordinal));
        Assert.Contains("\"linear\": 16", Encoding.UTF8.GetString(entries["output/flux_train_replicate/config.yaml"]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lora_IsValidSafetensorsThatChangesNothing()
    {
        byte[] file = Lora(await WeightsAsync());

        var tensors = Read(file, out var metadata);

        Assert.Equal(8, tensors.Count);
        Assert.Contains("sandbox", metadata["sandbox"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Equal("pt", (string?)metadata["format"]);
        foreach (var (name, tensor) in tensors)
        {
            Assert.Matches(@"^transformer\.single_transformer_blocks\.(7|12|16|20)\.proj_out\.lora_[AB]\.weight$", name);
            Assert.Equal("F16", tensor.Type);
            Assert.Equal(name.Contains("lora_A", StringComparison.Ordinal) ? (4, 15360) : (3072, 4), (tensor.Rows, tensor.Columns));
            Assert.All(tensor.Values, value => Assert.True(Half.IsFinite(value)));
            if (name.Contains("lora_B", StringComparison.Ordinal))
            {
                Assert.All(tensor.Values, value => Assert.Equal((Half)0, value));
            }
            else
            {
                Assert.Contains(tensor.Values, value => value != (Half)0);
                Assert.All(tensor.Values, value => Assert.InRange((double)value, -0.03, 0.03));
            }
        }
    }

    [Fact]
    public async Task Lora_OfFullSize_HasEveryModuleAtTheRankThatWasAskedFor()
    {
        byte[] file = Lora(await WeightsAsync("--Sandbox:Lora:Size=Full", new JsonObject { ["lora_rank"] = 1 }));

        var tensors = Read(file, out _);

        Assert.Equal(988, tensors.Count);
        Assert.Equal(5_369_856L * 2, tensors.Sum(tensor => (long)tensor.Value.Rows * tensor.Value.Columns * 2));
    }

    [Fact]
    public async Task Lora_WithARegex_HasOnlyTheLayersThatMatch()
    {
        byte[] file = Lora(await WeightsAsync(input: new JsonObject { ["layers_to_optimize_regex"] = @"transformer.single_transformer_blocks.(7|12).proj_out" }));

        Assert.Equal(4, Read(file, out _).Count);
    }

    [Theory]
    [InlineData("two-weights", 2)]
    [InlineData("missing-weights", 0)]
    public async Task Archive_WithTheWrongNumberOfWeights_IsStillATar(string damage, int count)
    {
        var entries = Entries(await WeightsAsync(quirks: new JsonObject { ["archive"] = damage }));

        Assert.Equal(count, entries.Keys.Count(name => name.EndsWith(".safetensors", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Archive_ThatIsTruncated_EndsTooEarly()
    {
        byte[] archive = await WeightsAsync(quirks: new JsonObject { ["archive"] = "truncated" });

        Assert.NotEmpty(archive);
        Assert.ThrowsAny<Exception>(() => Entries(archive));
    }

    [Fact]
    public async Task Archive_WithAZipSlip_HasAnEntryThatLeadsOut()
    {
        var entries = Entries(await WeightsAsync(quirks: new JsonObject { ["archive"] = "zip-slip" }));

        Assert.Contains(entries.Keys, name => name.StartsWith("../", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Archive_WithALink_PointsAtAFileOutside()
    {
        byte[] archive = await WeightsAsync(quirks: new JsonObject { ["archive"] = "link" });

        using var reader = new TarReader(new MemoryStream(archive));
        var links = new List<TarEntry>();
        while (reader.GetNextEntry() is { } entry)
        {
            if (entry.EntryType == TarEntryType.SymbolicLink)
            {
                links.Add(entry);
            }
        }

        Assert.Equal("/etc/passwd", Assert.Single(links).LinkName);
    }

    [Theory]
    [InlineData("not-a-tar")]
    [InlineData("empty")]
    public async Task Archive_ThatIsNone_HasNoEntries(string damage)
    {
        byte[] archive = await WeightsAsync(quirks: new JsonObject { ["archive"] = damage });

        Assert.True(archive.Length < 512);
    }

    [Theory]
    [InlineData("nan")]
    [InlineData("infinity")]
    public async Task Lora_WithADamagedElement_IsOtherwiseWhole(string damage)
    {
        var tensors = Read(Lora(await WeightsAsync(quirks: new JsonObject { ["lora"] = damage })), out _);

        Assert.Equal(1, tensors.Sum(tensor => tensor.Value.Values.Count(value => !Half.IsFinite(value))));
    }

    [Theory]
    [InlineData("truncated")]
    [InlineData("header-length")]
    [InlineData("overlap")]
    [InlineData("empty")]
    public async Task Lora_ThatIsDamaged_DoesNotRead(string damage)
    {
        byte[] file = Lora(await WeightsAsync(quirks: new JsonObject { ["lora"] = damage }));

        Assert.ThrowsAny<Exception>(() => Read(file, out _));
    }

    [Fact]
    public async Task Lora_OfAnotherModel_HasOtherNames()
    {
        var tensors = Read(Lora(await WeightsAsync(quirks: new JsonObject { ["lora"] = "other-model" })), out _);

        Assert.All(tensors.Keys, name => Assert.DoesNotContain("transformer.single", name, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Download_OfWeights_CanBeResumed()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        var training = await sandbox.Replicate.EndAsync(await sandbox.Replicate.StartTrainingAsync());
        string url = (string)training["output"]!["weights"]!;
        byte[] whole = (await sandbox.Replicate.GetAsync(url, token: null)).Bytes;

        var rest = await sandbox.Replicate.SendAsync(HttpMethod.Get, url, token: null, header: ("Range", "bytes=1000-"));

        Assert.Equal(206, rest.Status);
        Assert.Equal(whole[1000..], rest.Bytes);
        Assert.Equal(404, (await sandbox.Replicate.GetAsync("/delivery/..%2Fjournal.jsonl/x.tar", token: null)).Status);
        Assert.Equal(404, (await sandbox.Replicate.GetAsync("/delivery/unknown/trained_model.tar", token: null)).Status);
    }

    private static async Task<byte[]> WeightsAsync(string option = "--Sandbox:Lora:Size=Small", JsonObject? input = null, JsonObject? quirks = null)
    {
        await using var sandbox = await RunningSandbox.StartAsync(option);
        if (quirks is not null)
        {
            await sandbox.Replicate.FaultAsync(new JsonObject { ["on"] = "training", ["action"] = new JsonObject { ["kind"] = "quirks", ["quirks"] = quirks } });
        }

        var training = await sandbox.Replicate.EndAsync(await sandbox.Replicate.StartTrainingAsync(input: input));
        Assert.Equal("succeeded", (string?)training["status"]);
        var weights = await sandbox.Replicate.GetAsync((string)training["output"]!["weights"]!, token: null);
        Assert.Equal(200, weights.Status);
        return weights.Bytes;
    }

    private static byte[] Lora(byte[] archive) => Entries(archive)["output/flux_train_replicate/lora.safetensors"];

    private static Dictionary<string, byte[]> Entries(byte[] archive)
    {
        using var reader = new TarReader(new MemoryStream(archive));
        var entries = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        while (reader.GetNextEntry() is { } entry)
        {
            var content = new MemoryStream();
            entry.DataStream?.CopyTo(content);
            Assert.Equal(entry.Length, content.Length);
            entries.Add(entry.Name, content.ToArray());
        }

        return entries;
    }

    private static Dictionary<string, Tensor> Read(byte[] file, out JsonObject metadata)
    {
        long headerLength = checked((long)BinaryPrimitives.ReadUInt64LittleEndian(file));
        Assert.InRange(headerLength, 2, file.Length - 8);
        Assert.Equal(0, headerLength % 8);
        using var header = JsonDocument.Parse(file.AsMemory(8, (int)headerLength));
        int data = 8 + (int)headerLength;
        metadata = JsonNode.Parse(header.RootElement.GetProperty("__metadata__").GetRawText())!.AsObject();
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        long expected = 0;
        foreach (var property in header.RootElement.EnumerateObject().Where(property => property.Name != "__metadata__"))
        {
            int rows = property.Value.GetProperty("shape")[0].GetInt32();
            int columns = property.Value.GetProperty("shape")[1].GetInt32();
            long begin = property.Value.GetProperty("data_offsets")[0].GetInt64();
            long end = property.Value.GetProperty("data_offsets")[1].GetInt64();
            Assert.Equal(expected, begin);
            Assert.Equal((long)rows * columns * 2, end - begin);
            expected = end;
            var values = new Half[rows * columns];
            for (int index = 0; index < values.Length; index++)
            {
                values[index] = BinaryPrimitives.ReadHalfLittleEndian(file.AsSpan(data + (int)begin + (2 * index)));
            }

            tensors.Add(property.Name, new Tensor(property.Value.GetProperty("dtype").GetString()!, rows, columns, values));
        }

        Assert.Equal(file.Length, data + expected);
        Assert.Equal(tensors.Keys.Order(StringComparer.Ordinal), tensors.Keys);
        return tensors;
    }

    private sealed record Tensor(string Type, int Rows, int Columns, Half[] Values);
}
