using System.ComponentModel.DataAnnotations;

namespace Flurrty.Gateway.Limits;

/// <summary>Configuration section <c>Limits</c>: how many requests a caller may make in a window.</summary>
internal sealed class LimitsOptions
{
    public const string Section = "Limits";

    /// <summary>The window that the requests are counted in.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan Window { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Requests of one account.</summary>
    [Range(1, int.MaxValue)]
    public int PerAccount { get; init; } = 5000;

    /// <summary>Requests from one address, whoever makes them. Many callers may share one.</summary>
    [Range(1, int.MaxValue)]
    public int PerAddress { get; init; } = 10000;
}
