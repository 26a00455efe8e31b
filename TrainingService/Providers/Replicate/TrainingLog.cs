using System.Globalization;
using System.Text.RegularExpressions;

namespace Flurrty.TrainingService.Providers.Replicate;

/// <summary>Reads the trainer's progress bar out of a run's log.</summary>
internal static partial class TrainingLog
{
    /// <summary>A log grows to megabytes; the newest bar is always near its end.</summary>
    private const int TailLength = 256 * 1024;

    private const string BarName = "flux_train_replicate:";

    /// <summary>The newest progress line, or null when training proper has not begun.</summary>
    public static TrainingProgress? Parse(string? log)
    {
        if (string.IsNullOrEmpty(log))
        {
            return null;
        }

        var rest = log.AsSpan(Math.Max(0, log.Length - TailLength));
        while (!rest.IsEmpty)
        {
            var cut = rest.LastIndexOfAny('\r', '\n');
            var line = rest[(cut + 1)..];
            rest = cut < 0 ? default : rest[..cut];

            // Caching and download bars look the same but for the name.
            if (line.Contains(BarName, StringComparison.Ordinal) && ParseLine(line.ToString()) is { } progress)
            {
                return progress;
            }
        }

        return null;
    }

    private static TrainingProgress? ParseLine(string line)
    {
        Match? last = null;
        foreach (Match match in Bar().Matches(ControlSequence().Replace(line, string.Empty)))
        {
            last = match;
        }

        if (last is null
            || !int.TryParse(last.Groups["step"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var step)
            || !int.TryParse(last.Groups["steps"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var steps)
            || steps == 0)
        {
            return null;
        }

        return new TrainingProgress(
            Math.Min(step, steps),
            steps,
            ParseClock(last.Groups["left"].Value),
            last.Groups["rate"].Value.Trim(),
            last.Groups["loss"].Success ? last.Groups["loss"].Value : null);
    }

    /// <summary>Reads <c>10:07</c> and <c>1:02:03</c>; the bar writes <c>?</c> when it does not know.</summary>
    private static TimeSpan? ParseClock(string text)
    {
        var seconds = 0L;
        foreach (var part in text.Trim().Split(':'))
        {
            if (part.Length > 4 || !int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            {
                return null;
            }

            seconds = (seconds * 60) + number;
        }

        return seconds > TimeSpan.SecondsPerDay * 7 ? null : TimeSpan.FromSeconds(seconds);
    }

    [GeneratedRegex(
        @"flux_train_replicate:\s+\d+%\|[^|]*\|\s*(?<step>\d+)/(?<steps>\d+)\s+"
        + @"\[[^<\]]*<(?<left>[^,\]]*),\s*(?<rate>[^,\]]+)(,\s*lr:\s*\S+\s+loss:\s*(?<loss>[^\s\]]+))?",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 1000)]
    private static partial Regex Bar();

    [GeneratedRegex(@"\x1B\[[0-?]*[ -/]*[@-~]", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ControlSequence();
}
