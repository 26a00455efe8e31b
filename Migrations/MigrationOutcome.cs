namespace Flurrty.Migrations;

/// <summary>What became of the schemas.</summary>
internal enum MigrationOutcome
{
    Migrated,
    Failed,

    /// <summary>They have a form from which no migration leads to the present one, and were left in it.</summary>
    Refused,
}
