using System.Text.RegularExpressions;

namespace Flurrty.Architecture.Tests;

/// <summary>An alarm watches an event by its number alone, so a number means one thing in the whole solution.</summary>
public sealed partial class EventIdTests
{
    [Fact]
    public void EventIds_OfTheSolution_AreUnique()
    {
        var events = SourceTree.Files.Where(path => path.EndsWith(".cs", StringComparison.Ordinal) && !path.StartsWith("tests/", StringComparison.Ordinal))
            .SelectMany(path => IdsOf(SourceTree.Read(path)).Select(id => (Id: id, Path: path)))
            .ToArray();
        Assert.True(events.Length > 50, $"Only {events.Length} events were found.");
        Assert.Empty(events.Where(found => found.Id.Length == 0).Select(found => $"{found.Path} has an event without a number"));
        Assert.Empty(Repeated(events));
    }

    [Fact]
    public void EventIds_InBothForms_AreSeenAndToldWhenTheyRepeat()
    {
        const string Source = """
            [LoggerMessage(7, LogLevel.Error, "x")]
            [LoggerMessage(
                EventId = 7, Level = LogLevel.Error)]
            [LoggerMessage(Level = LogLevel.Error)]
            """;

        Assert.Equal(["7", "7", ""], IdsOf(Source));
        Assert.Equal(["7 stands in a.cs, a.cs"], Repeated([("7", "a.cs"), ("7", "a.cs"), ("8", "a.cs")]));
    }

    private static IEnumerable<string> IdsOf(string source) => LogMessage().Matches(source).Select(match => match.Groups["id"].Value);

    private static IEnumerable<string> Repeated(IEnumerable<(string Id, string Path)> events) => events.GroupBy(found => found.Id, StringComparer.Ordinal)
        .Where(group => group.Count() > 1)
        .Select(group => $"{group.Key} stands in {string.Join(", ", group.Select(found => found.Path))}");

    [GeneratedRegex(@"\[LoggerMessage\(\s*(EventId\s*=\s*)?(?<id>\d*)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex LogMessage();
}
