using System.Collections.Frozen;

namespace Flurrty.RegistryService.Identities;

/// <summary>What a training is asked to do. A learning rate of null leaves it to the provider.</summary>
internal sealed record TrainingConfig(string Preset, int Steps, int Rank, double? LearningRate, string Resolution);

/// <summary>The named starting points of a training; explicit parameters override single values of one.</summary>
internal static class TrainingPreset
{
    public const string Default = "standard";

    // Portrait takes 2500 steps where a provider has a portrait trainer. None of the providers here has one.
    private static readonly FrozenDictionary<string, TrainingConfig> ByName = new[]
    {
        new TrainingConfig("economy", 500, 16, null, "512"),
        new TrainingConfig("standard", 1000, 16, 0.0004, "512,768,1024"),
        new TrainingConfig("high", 2000, 32, 0.0002, "512,768,1024"),
        new TrainingConfig("portrait", 1500, 16, null, "768,1024"),
    }.ToFrozenDictionary(preset => preset.Preset, StringComparer.Ordinal);

    public static IEnumerable<string> Names => ByName.Keys.Order(StringComparer.Ordinal);

    public static TrainingConfig? Find(string name) => ByName.GetValueOrDefault(name);
}
