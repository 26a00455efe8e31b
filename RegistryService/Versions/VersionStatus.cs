namespace Flurrty.RegistryService.Versions;

/// <summary>Where a version of an identity stands.</summary>
internal enum VersionStatus
{
    /// <summary>Its training is asked for; nobody has acknowledged it yet.</summary>
    Pending,

    /// <summary>TrainingService has it.</summary>
    Training,

    /// <summary>Its model can be downloaded.</summary>
    Ready,

    /// <summary>Its training ended without a model.</summary>
    Failed,

    /// <summary>Somebody called its training off.</summary>
    Canceled,
}

/// <summary>The moves between the states, and their names in the API and the database.</summary>
internal static class VersionStates
{
    /// <summary>Whether a report about the training may make this move. Only a retry leads out of Failed.</summary>
    public static bool MayMove(VersionStatus from, VersionStatus to) => (from, to) switch
    {
        (VersionStatus.Pending, VersionStatus.Training) => true,
        (VersionStatus.Training, VersionStatus.Training or VersionStatus.Ready or VersionStatus.Failed or VersionStatus.Canceled) => true,
        _ => false,
    };

    public static bool HasEnded(this VersionStatus status) => status is VersionStatus.Ready or VersionStatus.Failed or VersionStatus.Canceled;

    public static string ToName(this VersionStatus status) => status switch
    {
        VersionStatus.Pending => "pending",
        VersionStatus.Training => "training",
        VersionStatus.Ready => "ready",
        VersionStatus.Failed => "failed",
        VersionStatus.Canceled => "canceled",
    };

    public static VersionStatus FromName(string name) =>
        Enum.GetValues<VersionStatus>().First(status => string.Equals(status.ToName(), name, StringComparison.Ordinal));
}
