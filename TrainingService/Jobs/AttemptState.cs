namespace Flurrty.TrainingService.Jobs;

/// <summary>Where an attempt stands: one intent to buy one run at one provider. It moves forward only.</summary>
internal enum AttemptState
{
    /// <summary>Written down; nothing was sent.</summary>
    Intended,

    /// <summary>Its own input lies at the provider, or the last request was refused with proof that no run was made.</summary>
    Uploaded,

    /// <summary>The request for a run may be on its way.</summary>
    Posting,

    /// <summary>The request's outcome is not known.</summary>
    Unknown,

    /// <summary>The provider named a run.</summary>
    Running,

    Succeeded,
    Failed,
    Canceled,

    /// <summary>Proven that no run was made and that none can be.</summary>
    NotRun,
}

internal static class AttemptStates
{
    public static string ToText(this AttemptState state) => state switch
    {
        AttemptState.Intended => "intended",
        AttemptState.Uploaded => "uploaded",
        AttemptState.Posting => "posting",
        AttemptState.Unknown => "unknown",
        AttemptState.Running => "running",
        AttemptState.Succeeded => "succeeded",
        AttemptState.Failed => "failed",
        AttemptState.Canceled => "canceled",
        AttemptState.NotRun => "not_run",
    };

    public static AttemptState Parse(string text) =>
        Enum.GetValues<AttemptState>().First(state => string.Equals(state.ToText(), text, StringComparison.Ordinal));

    public static bool IsEnded(this AttemptState state) => state >= AttemptState.Succeeded;
}
