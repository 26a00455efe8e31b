using System.Collections.Frozen;

namespace Flurrty.TrainingService.Jobs;

/// <summary>Whether a provider is the real one, the Sandbox, or not there. A token says nothing about it.</summary>
internal enum ProviderMode
{
    Off,
    Sandbox,
    Live,
}

internal static class ProviderModes
{
    private static readonly FrozenDictionary<string, ProviderMode> ByText =
        Enum.GetValues<ProviderMode>().ToFrozenDictionary(static mode => mode.ToText(), StringComparer.Ordinal);

    /// <summary>The mode as configuration, rows and answers spell it.</summary>
    public static string ToText(this ProviderMode mode) => mode switch
    {
        ProviderMode.Off => "off",
        ProviderMode.Sandbox => "sandbox",
        ProviderMode.Live => "live",
    };

    /// <summary>The mode of a text; null when there is none of that name.</summary>
    public static ProviderMode? Parse(string? text) => text is not null && ByText.TryGetValue(text, out var mode) ? mode : null;
}
