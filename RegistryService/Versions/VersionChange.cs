namespace Flurrty.RegistryService.Versions;

/// <summary>One move of a version from state to state. Rows are only ever added.</summary>
internal sealed class VersionChange
{
    public Guid VersionId { get; init; }

    /// <summary>Counts from 1 within the version: several changes may have the same time.</summary>
    public int Number { get; init; }

    public Guid AccountId { get; init; }

    public VersionStatus? From { get; init; }

    public VersionStatus To { get; init; }

    public long TrainingRevision { get; init; }

    public string? FailureCode { get; init; }

    public DateTimeOffset At { get; init; }

    public static VersionChange Of(IdentityVersion version, VersionStatus? from, DateTimeOffset now) => new()
    {
        VersionId = version.Id,
        Number = version.Changes,
        AccountId = version.AccountId,
        From = from,
        To = version.Status,
        TrainingRevision = version.TrainingRevision,
        FailureCode = version.FailureCode,
        At = now,
    };
}
