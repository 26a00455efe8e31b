using System.Text;
using System.Text.Json.Nodes;
using Flurrty.TrainingService.Models;

namespace Flurrty.TrainingService.Tests.Models;

public sealed class LoraFileTests
{
    private const string Module = "transformer.single_transformer_blocks.7.proj_out";

    public static TheoryData<string, int, int, string> KnownModules { get; } = new()
    {
        { Module, 15360, 3072, "diffusers" },
        { "transformer.transformer_blocks.18.norm1.linear", 3072, 18432, "diffusers" },
        { "transformer.transformer_blocks.0.ff_context.net.2", 12288, 3072, "diffusers" },
        { "transformer.transformer_blocks.3.attn.to_out.0", 3072, 3072, "diffusers" },
        { "transformer.single_transformer_blocks.37.norm.linear", 3072, 9216, "diffusers" },
        { "diffusion_model.single_blocks.5.linear1", 3072, 21504, "comfy" },
        { "diffusion_model.double_blocks.5.img_attn.qkv", 3072, 9216, "comfy" },
    };

    [Theory]
    [MemberData(nameof(KnownModules))]
    public async Task Lora_OfAFluxLayer_IsValid(string module, int input, int output, string layout)
    {
        var summary = await ValidateAsync(new SafetensorsBuilder().Pair(module, input, output, rank: 8, type: "BF16"));

        Assert.Equal(new LoraSummary(layout, 1, 8, IsNoOp: false), summary);
    }

    [Fact]
    public async Task Lora_InKohyasNaming_IsValid()
    {
        var summary = await ValidateAsync(new SafetensorsBuilder()
            .Tensor("lora_unet_double_blocks_0_txt_mod_lin.lora_down.weight", "F16", [4, 3072])
            .Tensor("lora_unet_double_blocks_0_txt_mod_lin.lora_up.weight", "F16", [18432, 4])
            .Tensor("lora_unet_double_blocks_0_txt_mod_lin.alpha", "F32", []));

        Assert.Equal(new LoraSummary("kohya", 1, 4, IsNoOp: true), summary);
    }

    [Fact]
    public async Task Lora_WithZeroUpProjections_IsANoOp() =>
        Assert.True((await ValidateAsync(new SafetensorsBuilder().Pair(Module, 15360, 3072, zero: true))).IsNoOp);

    [Fact]
    public async Task Lora_WithNegativeZeros_IsANoOp() =>
        Assert.True((await ValidateAsync(new SafetensorsBuilder()
            .Tensor($"{Module}.lora_A.weight", "F16", [1, 15360])
            .Tensor($"{Module}.lora_B.weight", "F16", [3072, 1], static i => i % 2 == 1 ? (byte)0x80 : (byte)0))).IsNoOp);

    [Theory]
    [InlineData("F16", 0x7C, false)]
    [InlineData("F16", 0x7B, true)]
    [InlineData("BF16", 0x7F, false)]
    [InlineData("BF16", 0x7E, true)]
    [InlineData("F32", 0x7F, false)]
    [InlineData("F32", 0x7E, true)]
    public async Task Number_WithAFullExponent_IsRefused(string type, int highByte, bool valid)
    {
        var size = type == "F32" ? 4 : 2;
        var file = new SafetensorsBuilder()
            .Tensor($"{Module}.lora_A.weight", type, [1, 15360], i => i == size - 1 ? (byte)highByte : i == size - 2 ? (byte)0x80 : (byte)0)
            .Tensor($"{Module}.lora_B.weight", type, [3072, 1]);

        if (valid)
        {
            Assert.NotNull(await ValidateAsync(file));
        }
        else
        {
            await RefusedAsync(file, "NaN");
        }
    }

    [Theory]
    [InlineData("transformer.single_transformer_blocks.38.proj_out", 15360, 3072, "block")]
    [InlineData("transformer.transformer_blocks.19.attn.to_q", 3072, 3072, "block")]
    [InlineData("transformer.single_transformer_blocks.7.proj_out", 3072, 15360, "size")]
    [InlineData("transformer.single_transformer_blocks.7.attn.to_q", 1536, 1536, "size")]
    [InlineData("transformer.single_transformer_blocks.7.nonsense", 3072, 3072, "none of FLUX.1's")]
    [InlineData("transformer.proj_out", 3072, 64, "no layer of FLUX.1")]
    [InlineData("unet.down_blocks.0", 320, 320, "no layer of FLUX.1")]
    public Task Lora_OfAnotherModel_IsRefused(string module, int input, int output, string reason) =>
        RefusedAsync(new SafetensorsBuilder().Pair(module, input, output), reason);

    [Fact]
    public Task Lora_WithHalfALayer_IsRefused() =>
        RefusedAsync(new SafetensorsBuilder().Tensor($"{Module}.lora_A.weight", "F16", [4, 15360]), "two halves");

    [Fact]
    public Task Lora_WithTwoRanksInALayer_IsRefused() =>
        RefusedAsync(
            new SafetensorsBuilder().Tensor($"{Module}.lora_A.weight", "F16", [4, 15360]).Tensor($"{Module}.lora_B.weight", "F16", [3072, 8]), "two halves");

    [Fact]
    public Task File_WithAnUnknownTensor_IsRefused() =>
        RefusedAsync(new SafetensorsBuilder().Pair(Module, 15360, 3072).Tensor("payload", "F16", [4]), "belongs to no LoRA");

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(-1)]
    [InlineData(long.MaxValue)]
    [InlineData(9_000_000)]
    public Task Header_WithAnImpossibleLength_IsRefused(long length) =>
        RefusedAsync(new SafetensorsBuilder { HeaderLength = length }.Pair(Module, 15360, 3072), "header");

    [Theory]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"a\":1}")]
    [InlineData("{\"a\":{\"dtype\":\"F16\"}}")]
    [InlineData("{\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0]}}")]
    [InlineData("{\"a\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}}")]
    [InlineData("{\"a\":{\"dtype\":\"F16\",\"shape\":[-1],\"data_offsets\":[0,-2]}}")]
    [InlineData("{\"a\":{\"dtype\":\"F16\",\"shape\":[0],\"data_offsets\":[0,0]}}")]
    [InlineData("{\"a\":{\"dtype\":\"F16\",\"shape\":[1048576,1048576,1048576,1048576],\"data_offsets\":[0,0]}}")]
    [InlineData("{\"a\":{\"dtype\":\"F16\",\"shape\":[9999999999],\"data_offsets\":[0,2]}}")]
    [InlineData("{\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[-9223372036854775808,9223372036854775807]}}")]
    [InlineData("{\"__metadata__\":{\"a\":1}}")]
    [InlineData("{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}}")]
    public async Task Header_Malformed_IsRefused(string header)
    {
        await using var file = SafetensorsBuilder.Join(Encoding.UTF8.GetBytes(header), headerLength: null, new byte[8]);

        await Assert.ThrowsAsync<ModelInvalidException>(() => LoraFile.ValidateAsync(file, CancellationToken.None));
    }

    [Fact]
    public Task Tensors_WithAHoleBetween_AreRefused() =>
        RefusedAsync(
            new SafetensorsBuilder
            {
                ChangeHeader = static header =>
                {
                    var offsets = (JsonArray)header[$"{Module}.lora_B.weight"]!["data_offsets"]!;
                    offsets[0] = (long)offsets[0]! + 2;
                    offsets[1] = (long)offsets[1]! + 2;
                },
            }.Pair(Module, 15360, 3072),
            "one after the other");

    [Fact]
    public Task Tensors_Overlapping_AreRefused() =>
        RefusedAsync(
            new SafetensorsBuilder { ChangeHeader = static header => header[$"{Module}.lora_B.weight"]!["data_offsets"] = new JsonArray(0, 3072 * 4 * 2) }
                .Pair(Module, 15360, 3072),
            "one after the other");

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    public async Task File_OfAnotherLengthThanItsHeaderSays_IsRefused(int difference)
    {
        await using var file = new SafetensorsBuilder().Pair(Module, 15360, 3072).Build();
        file.SetLength(file.Length + difference);

        await Assert.ThrowsAsync<ModelInvalidException>(() => LoraFile.ValidateAsync(file, CancellationToken.None));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    public async Task File_ShorterThanALength_IsRefused(int length)
    {
        await using var file = new MemoryStream(new byte[length]);

        await Assert.ThrowsAsync<ModelInvalidException>(() => LoraFile.ValidateAsync(file, CancellationToken.None));
    }

    private static async Task<LoraSummary> ValidateAsync(SafetensorsBuilder builder)
    {
        await using var file = builder.Build();
        return await LoraFile.ValidateAsync(file, CancellationToken.None);
    }

    private static async Task RefusedAsync(SafetensorsBuilder builder, string reason)
    {
        await using var file = builder.Build();
        var refusal = await Assert.ThrowsAsync<ModelInvalidException>(() => LoraFile.ValidateAsync(file, CancellationToken.None));
        Assert.Contains(reason, refusal.Message, StringComparison.Ordinal);
    }
}
