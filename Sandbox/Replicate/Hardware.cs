using System.Text.Json.Nodes;

namespace Flurrty.Sandbox.Replicate;

/// <summary>What models can run on, and what a second costs.</summary>
internal static class Hardware
{
    public const string H100 = "gpu-h100";

    private static readonly (string Sku, string Name, double PerSecond)[] All =
    [
        ("cpu", "CPU", 0.0001),
        ("gpu-t4", "Nvidia T4 GPU", 0.000225),
        ("gpu-l40s", "Nvidia L40S GPU", 0.000975),
        ("gpu-a100-large", "Nvidia A100 (80GB) GPU", 0.0014),
        (H100, "Nvidia H100 GPU", 0.001525),
    ];

    public static bool Exists(string sku) => Array.Exists(All, hardware => hardware.Sku == sku);

    public static double PerSecond(string sku) => Array.Find(All, hardware => hardware.Sku == sku).PerSecond;

    public static IResult List() =>
        Reply.Json(200, new JsonArray([.. All.Select(hardware => new JsonObject { ["sku"] = hardware.Sku, ["name"] = hardware.Name })]));
}
