namespace Flurrty.TrainingService.Driving;

/// <summary>What follows a step: the next one at once, after a while, or none.</summary>
internal readonly record struct Rest(TimeSpan Delay, bool IsEnded)
{
    /// <summary>The next step follows at once, under the same lease.</summary>
    public static Rest None => new(TimeSpan.Zero, IsEnded: false);

    /// <summary>There is nothing left to do.</summary>
    public static Rest Ended => new(TimeSpan.Zero, IsEnded: true);

    public static Rest For(TimeSpan delay) => new(delay, IsEnded: false);

    public bool IsNone => !IsEnded && Delay == TimeSpan.Zero;
}
