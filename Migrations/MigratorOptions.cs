using System.ComponentModel.DataAnnotations;

namespace Flurrty.Migrations;

/// <summary>Configuration section <c>Migrator</c>.</summary>
internal sealed class MigratorOptions
{
    public const string Section = "Migrator";

    /// <summary>How long to wait for a database that does not answer yet.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Where a development topology keeps its databases; a refusal says to remove it. Elsewhere it is not known.</summary>
    public string? DataDirectory { get; init; }
}
