namespace Flurrty.Sandbox.Lora;

/// <summary>A linear layer of FLUX.1-dev that a LoRA can change.</summary>
internal sealed record FluxModule(string Name, int In, int Out);

/// <summary>All 494 of them, by their diffusers names.</summary>
internal static class FluxModules
{
    private const int Hidden = 3072;
    private const int DoubleBlocks = 19;
    private const int SingleBlocks = 38;

    public static readonly IReadOnlyList<FluxModule> All = [.. Enumerate()];

    /// <summary>The layers that are said to carry a likeness best; enough for a small file.</summary>
    public static readonly IReadOnlyList<FluxModule> Few =
        [.. All.Where(module => module.Name is
            "transformer.single_transformer_blocks.7.proj_out" or
            "transformer.single_transformer_blocks.12.proj_out" or
            "transformer.single_transformer_blocks.16.proj_out" or
            "transformer.single_transformer_blocks.20.proj_out")];

    private static IEnumerable<FluxModule> Enumerate()
    {
        for (int block = 0; block < DoubleBlocks; block++)
        {
            string name = $"transformer.transformer_blocks.{block}";
            yield return new($"{name}.norm1.linear", Hidden, 6 * Hidden);
            yield return new($"{name}.norm1_context.linear", Hidden, 6 * Hidden);
            foreach (string projection in (string[])["to_q", "to_k", "to_v", "add_q_proj", "add_k_proj", "add_v_proj", "to_out.0", "to_add_out"])
            {
                yield return new($"{name}.attn.{projection}", Hidden, Hidden);
            }

            foreach (string feedForward in (string[])["ff", "ff_context"])
            {
                yield return new($"{name}.{feedForward}.net.0.proj", Hidden, 4 * Hidden);
                yield return new($"{name}.{feedForward}.net.2", 4 * Hidden, Hidden);
            }
        }

        for (int block = 0; block < SingleBlocks; block++)
        {
            string name = $"transformer.single_transformer_blocks.{block}";
            yield return new($"{name}.norm.linear", Hidden, 3 * Hidden);
            foreach (string projection in (string[])["to_q", "to_k", "to_v"])
            {
                yield return new($"{name}.attn.{projection}", Hidden, Hidden);
            }

            yield return new($"{name}.proj_mlp", Hidden, 4 * Hidden);
            yield return new($"{name}.proj_out", 5 * Hidden, Hidden);
        }
    }
}
