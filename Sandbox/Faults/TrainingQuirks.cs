using Flurrty.Sandbox.Lora;

namespace Flurrty.Sandbox.Faults;

internal enum LogNoise
{
    None,

    /// <summary>Colours, cursor movements, a bell and a NUL among the lines.</summary>
    Ansi,

    /// <summary>Two megabytes of warnings before the progress lines, some longer than 100,000 characters.</summary>
    Long,

    /// <summary>Control characters stand in the body as they are, which strict JSON parsers refuse.</summary>
    Unescaped,

    /// <summary>Not a line.</summary>
    Silent,
}

internal enum OutputQuirk
{
    None,

    /// <summary>The training succeeded and its output is null.</summary>
    Null,
    WithoutWeights,
    WithoutVersion,
}

internal enum CancelQuirk
{
    None,

    /// <summary>The training succeeds just before the cancel takes effect; the answer says so.</summary>
    TooLate,

    /// <summary>The answer says canceled, and the training succeeds all the same.</summary>
    Overtaken,
}

/// <summary>How one training departs from the ordinary; kept with it, so that a restart changes nothing.</summary>
internal sealed record TrainingQuirks
{
    /// <summary>Seconds in <c>starting</c>.</summary>
    public double? StartingSeconds { get; init; }

    /// <summary>Seconds in <c>processing</c>.</summary>
    public double? Seconds { get; init; }

    /// <summary>For so long neither lists nor routes show the training, as if a replica lagged behind.</summary>
    public double? HiddenSeconds { get; init; }

    /// <summary>The training fails with this text.</summary>
    public string? Fail { get; init; }

    /// <summary>Where on the way it fails, from 0 to 1.</summary>
    public double? FailAt { get; init; }

    /// <summary>Fails before it starts, as a bad input does; nothing is billed.</summary>
    public string? Refuse { get; init; }

    public LogNoise Logs { get; init; }

    public OutputQuirk Output { get; init; }

    public ArchiveDamage Archive { get; init; }

    public LoraDamage Lora { get; init; }

    public CancelQuirk Cancel { get; init; }
}
