using System.ComponentModel.DataAnnotations;

namespace Flurrty.RegistryService.Versions;

/// <summary>When a version that nobody has spoken of is looked at again.</summary>
internal sealed class ReconcilerOptions
{
    public const string Section = "Reconciler";
    private const string Shortest = "00:00:00.050";
    private const string Longest = "01:00:00";

    /// <summary>How long an unacknowledged version waits before its training is asked for again.</summary>
    [Range(typeof(TimeSpan), Shortest, Longest)]
    public TimeSpan ResendAfter { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a version in training may be silent before TrainingService is asked about it.</summary>
    [Range(typeof(TimeSpan), Shortest, Longest)]
    public TimeSpan AskAfter { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How often versions whose time has come are looked for.</summary>
    [Range(typeof(TimeSpan), Shortest, Longest)]
    public TimeSpan Every { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How many versions are taken at once.</summary>
    [Range(1, 1000)]
    public int Batch { get; init; } = 50;
}
