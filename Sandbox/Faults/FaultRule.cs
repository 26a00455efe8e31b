using System.Text.Json;
using System.Text.RegularExpressions;

namespace Flurrty.Sandbox.Faults;

internal enum FaultPoint
{
    /// <summary>A request to the sandbox.</summary>
    Request,

    /// <summary>A training at the moment it is accepted.</summary>
    Training,

    /// <summary>A webhook at the moment it is due.</summary>
    Webhook,
}

internal enum FaultKind
{
    // At a request.
    Answer,
    Delay,
    Drop,
    Hang,
    Hold,
    Cut,

    // At a training.
    Quirks,

    // At a webhook.
    Duplicate,
    OutOfOrder,
    Late,
    BadSignature,
    OldTimestamp,
    RotateSecret,
    Never,
}

internal enum FaultWhen
{
    /// <summary>Before the request has any effect.</summary>
    Before,

    /// <summary>After the effect and its line in the invoice are on the disk.</summary>
    After,
}

/// <summary>What happens when a rule applies.</summary>
internal sealed record FaultAction
{
    public FaultKind Kind { get; init; }
    public FaultWhen When { get; init; }

    /// <summary>For an answer.</summary>
    public int Status { get; init; } = 500;
    public IReadOnlyDictionary<string, string>? Headers { get; init; }

    /// <summary>A JSON value, or a string that is sent as it is.</summary>
    public JsonElement? Body { get; init; }

    /// <summary>For a delay, a late webhook or an old timestamp.</summary>
    public double Seconds { get; init; } = 1;

    /// <summary>For a cut: how much of the answer's body is sent before the connection breaks.</summary>
    public long Bytes { get; init; }

    /// <summary>For a hold before the effect: whether the request still takes effect after its sender has gone.</summary>
    public bool SurvivesDisconnect { get; init; }

    /// <summary>For a training.</summary>
    public TrainingQuirks? Quirks { get; init; }
}

/// <summary>When something goes wrong, and how.</summary>
internal sealed record FaultRule
{
    public FaultPoint On { get; init; }

    /// <summary>An HTTP method; null matches every one.</summary>
    public string? Method { get; init; }

    /// <summary>A path in which <c>*</c> stands for one segment and <c>**</c> for any number of them; null matches every one.</summary>
    public string? Path { get; init; }

    /// <summary>A text that the request's body contains.</summary>
    public string? BodyContains { get; init; }

    /// <summary>For trainings and webhooks: the destination, with the same wildcards.</summary>
    public string? Destination { get; init; }

    /// <summary>For webhooks: start, output, logs or completed; null matches every one.</summary>
    public string? Event { get; init; }

    /// <summary>The first match that the rule applies to; 1 is the next one.</summary>
    public int Nth { get; init; } = 1;

    /// <summary>To how many matches it applies; 0 is to all of them.</summary>
    public int Count { get; init; } = 1;

    public FaultAction? Action { get; init; }

    public IEnumerable<string> Errors()
    {
        if (Action is null)
        {
            yield return "action is missing";
            yield break;
        }

        if (Nth < 1 || Count < 0)
        {
            yield return "nth starts at 1 and count at 0";
        }

        var point = Action.Kind switch
        {
            <= FaultKind.Cut => FaultPoint.Request,
            FaultKind.Quirks => FaultPoint.Training,
            _ => FaultPoint.Webhook,
        };
        if (point != On)
        {
            yield return $"the action {JsonNamingPolicy.KebabCaseLower.ConvertName(Action.Kind.ToString())} belongs to on: {JsonNamingPolicy.KebabCaseLower.ConvertName(point.ToString())}";
        }

        if (On != FaultPoint.Request && (Method ?? Path ?? BodyContains) is not null)
        {
            yield return "method, path and body_contains belong to on: request";
        }

        if (On == FaultPoint.Request && (Destination ?? Event) is not null)
        {
            yield return "destination and event do not belong to on: request";
        }

        if (Action.Kind == FaultKind.Quirks && Action.Quirks is null)
        {
            yield return "quirks are missing";
        }

        if (Action.Status is < 100 or > 599 || Action.Seconds is < 0 or > 86_400 || Action.Bytes < 0)
        {
            yield return "status, seconds or bytes is out of range";
        }
    }

    public static Regex Wildcards(string pattern)
    {
        string expression = Regex.Escape(pattern).Replace(@"\*\*", ".*", StringComparison.Ordinal).Replace(@"\*", "[^/]*", StringComparison.Ordinal);
        return new Regex($"^{expression}$", RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));
    }
}
