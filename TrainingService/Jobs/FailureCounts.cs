namespace Flurrty.TrainingService.Jobs;

/// <summary>What kind of failure a step met. Each kind has a budget of its own: eight busy answers say nothing about whether a run exists.</summary>
internal enum FailureKind
{
    /// <summary>It may succeed later without anybody changing anything.</summary>
    Transient,

    /// <summary>The provider asked to be left alone for a while.</summary>
    Throttled,

    /// <summary>The provider was asked and does not know the run, or does not offer what it made.</summary>
    Missing,

    /// <summary>The dataset is not where it was built.</summary>
    Dataset,

    /// <summary>What the run made arrived damaged.</summary>
    Damaged,

    /// <summary>Credentials or money are missing; that is a state with a deadline, not a number of tries.</summary>
    Access,

    /// <summary>An error of ours that nobody expected.</summary>
    Fault,
}

/// <summary>Failures of a job in a row within its present state, by kind.</summary>
internal sealed class FailureCounts
{
    /// <summary>All kinds together: how long to wait before the next try.</summary>
    public int InARow { get; set; }

    public int Transient { get; set; }

    public int Throttled { get; set; }

    public int Missing { get; set; }

    public int Dataset { get; set; }

    public int Damaged { get; set; }

    public int Fault { get; set; }

    public static FailureKind KindOf(ErrorCategory category) => category switch
    {
        ErrorCategory.RateLimit => FailureKind.Throttled,
        ErrorCategory.Authentication or ErrorCategory.Payment => FailureKind.Access,
        ErrorCategory.UnknownRun => FailureKind.Missing,
        _ => FailureKind.Transient,
    };

    public int Of(FailureKind kind) => kind switch
    {
        FailureKind.Transient => Transient,
        FailureKind.Throttled => Throttled,
        FailureKind.Missing => Missing,
        FailureKind.Dataset => Dataset,
        FailureKind.Damaged => Damaged,
        FailureKind.Access => 0,
        FailureKind.Fault => Fault,
    };

    public void Add(FailureKind kind)
    {
        InARow++;
        _ = kind switch
        {
            FailureKind.Transient => Transient++,
            FailureKind.Throttled => Throttled++,
            FailureKind.Missing => Missing++,
            FailureKind.Dataset => Dataset++,
            FailureKind.Damaged => Damaged++,
            FailureKind.Access => 0,
            FailureKind.Fault => Fault++,
        };
    }

    public void Clear() => InARow = Transient = Throttled = Missing = Dataset = Damaged = Fault = 0;
}
