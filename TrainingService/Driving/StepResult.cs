namespace Flurrty.TrainingService.Driving;

/// <summary>What follows a step: the next one at once, after a while, or none.</summary>
internal readonly record struct StepResult(TimeSpan Delay, bool IsEnd)
{
    /// <summary>The next step follows at once, under the same lease.</summary>
    public static StepResult Next => new(TimeSpan.Zero, IsEnd: false);

    /// <summary>There is nothing left to do.</summary>
    public static StepResult End => new(TimeSpan.Zero, IsEnd: true);

    public static StepResult After(TimeSpan delay) => new(delay, IsEnd: false);

    public bool IsNext => !IsEnd && Delay == TimeSpan.Zero;
}
