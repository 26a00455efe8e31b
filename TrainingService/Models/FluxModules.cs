using System.Globalization;
using System.Text.RegularExpressions;

namespace Flurrty.TrainingService.Models;

/// <summary>The layers of FLUX.1 that a LoRA can adapt, with their sizes, in the three namings in use.</summary>
internal static partial class FluxModules
{
    private const int DoubleBlocks = 19;
    private const int SingleBlocks = 38;

    private static readonly string[] DownEndings = [".lora_A.weight", ".lora_down.weight"];
    private static readonly string[] UpEndings = [".lora_B.weight", ".lora_up.weight"];

    /// <summary>Whether the tensor is the second of a pair, the one that starts at zero.</summary>
    public static bool IsUp(string name) => UpEndings.Any(ending => name.EndsWith(ending, StringComparison.Ordinal));

    /// <summary>Pairs the tensors and checks each pair's shape.</summary>
    public static (string Layout, int Modules, int Rank) Check(IReadOnlyList<LoraTensor> tensors, int maxRank)
    {
        var pairs = new Dictionary<string, (LoraTensor? Down, LoraTensor? Up)>(StringComparer.Ordinal);
        var alphas = new List<string>();
        foreach (var tensor in tensors)
        {
            if (Strip(tensor.Name, DownEndings) is { } down)
            {
                pairs[down] = (tensor, pairs.GetValueOrDefault(down).Up);
            }
            else if (Strip(tensor.Name, UpEndings) is { } up)
            {
                pairs[up] = (pairs.GetValueOrDefault(up).Down, tensor);
            }
            else if (tensor.Name.EndsWith(".alpha", StringComparison.Ordinal) && tensor.Shape.All(static size => size == 1))
            {
                alphas.Add(tensor.Name[..^".alpha".Length]);
            }
            else
            {
                throw new ModelInvalidException("The file holds a tensor that belongs to no LoRA.");
            }
        }

        if (alphas.Exists(module => !pairs.ContainsKey(module)))
        {
            throw new ModelInvalidException("The file holds the scale of a layer that it does not adapt.");
        }

        var layout = LayoutOf(pairs.Keys);
        var rank = 0;
        var blocks = 0;
        foreach (var (module, (down, up)) in pairs)
        {
            if (down is not { Shape: [var r, var input] } || up is not { Shape: [var output, var r2] } || r != r2 || r > maxRank)
            {
                throw new ModelInvalidException("The two halves of a layer do not fit each other.");
            }

            if (SizeOf(module) is { } expected)
            {
                blocks++;
                if (expected != (input, output))
                {
                    throw new ModelInvalidException("A layer has another size than in FLUX.1; this is a LoRA of another model.");
                }
            }

            rank = Math.Max(rank, r);
        }

        return blocks == 0 ? throw new ModelInvalidException("The file adapts no layer of FLUX.1.") : (layout, pairs.Count, rank);
    }

    private static string? Strip(string name, string[] endings)
    {
        var ending = Array.Find(endings, candidate => name.EndsWith(candidate, StringComparison.Ordinal));
        return ending is null ? null : name[..^ending.Length];
    }

    private static string LayoutOf(IEnumerable<string> modules)
    {
        foreach (var module in modules)
        {
            if (module.StartsWith("transformer.", StringComparison.Ordinal))
            {
                return "diffusers";
            }

            if (module.StartsWith("lora_unet_", StringComparison.Ordinal))
            {
                return "kohya";
            }

            if (module.StartsWith("diffusion_model.", StringComparison.Ordinal))
            {
                return "comfy";
            }
        }

        throw new ModelInvalidException("The file adapts no layer of FLUX.1.");
    }

    /// <summary>The size of a layer inside FLUX.1's blocks; null for a layer outside of them.</summary>
    private static (int Input, int Output)? SizeOf(string module)
    {
        if (Block().Match(module) is not { Success: true } match)
        {
            return null;
        }

        var isSingle = match.Groups["single"].Success;
        var index = int.Parse(match.Groups["index"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture);
        if (index >= (isSingle ? SingleBlocks : DoubleBlocks))
        {
            throw new ModelInvalidException("A layer lies in a block that FLUX.1 does not have.");
        }

        var layer = match.Groups["layer"].Value;
        (int, int)? size = isSingle
            ? layer switch
            {
                "norm.linear" or "modulation_lin" or "modulation.lin" => (3072, 9216),
                "attn.to_q" or "attn.to_k" or "attn.to_v" => (3072, 3072),
                "proj_mlp" => (3072, 12288),
                "proj_out" or "linear2" => (15360, 3072),
                "linear1" => (3072, 21504),
                _ => null,
            }
            : layer switch
            {
                "norm1.linear" or "norm1_context.linear" => (3072, 18432),
                "attn.to_q" or "attn.to_k" or "attn.to_v" or "attn.add_q_proj" or "attn.add_k_proj" or "attn.add_v_proj"
                    or "attn.to_out.0" or "attn.to_add_out" => (3072, 3072),
                "ff.net.0.proj" or "ff_context.net.0.proj" => (3072, 12288),
                "ff.net.2" or "ff_context.net.2" => (12288, 3072),
                _ => Original().Match(layer) is { Success: true } original
                    ? original.Groups["part"].Value.Replace('.', '_') switch
                    {
                        "attn_qkv" => (3072, 9216),
                        "attn_proj" => (3072, 3072),
                        "mlp_0" => (3072, 12288),
                        "mlp_2" => (12288, 3072),
                        "mod_lin" => (3072, 18432),
                        _ => null,
                    }
                    : null,
            };
        return size ?? throw new ModelInvalidException("A layer is none of FLUX.1's.");
    }

    [GeneratedRegex(
        @"^(?:transformer\.|lora_unet_|diffusion_model\.)"
        + @"(?:(?<single>single_transformer_blocks|single_blocks)|transformer_blocks|double_blocks)[._](?<index>\d{1,3})[._](?<layer>.+)$",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 1000)]
    private static partial Regex Block();

    [GeneratedRegex(@"^(?:img|txt)[._](?<part>.+)$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Original();
}
