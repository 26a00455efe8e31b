using System.Text.RegularExpressions;

namespace Flurrty.Architecture.Tests;

/// <summary>Rules of the code that no analyzer knows.</summary>
public sealed partial class StyleTests
{
    private const int ProgramLines = 40;

    private static IEnumerable<string> Code => SourceTree.Files.Where(path => path.EndsWith(".cs", StringComparison.Ordinal));

    private static IEnumerable<string> Product => Code.Where(path => !path.StartsWith("tests/", StringComparison.Ordinal) && !path.StartsWith("bench/", StringComparison.Ordinal));

    [Fact]
    public void Names_SayWhatAThingIs()
    {
        Assert.NotEmpty(Code);
        Assert.Empty(SourceTree.Files.SelectMany(path => path.Split('/')).Select(part => part.Split('.')[0]).Where(name => VagueName().IsMatch(name)).Distinct(StringComparer.Ordinal));
        Assert.Empty(Code.SelectMany(path => VagueType().Matches(SourceTree.Read(path)).Select(match => $"{path}: {match.Value}")));
    }

    [Fact]
    public void Time_ComesFromATimeProvider() =>
        Assert.DoesNotContain(Product, path => WallClock().IsMatch(SourceTree.Read(path)));

    [Fact]
    public void Programs_ArePutTogetherOnOneScreen()
    {
        var programs = Product.Where(path => Path.GetFileName(path) == "Program.cs" && path.Count(letter => letter == '/') == 1).ToArray();
        Assert.NotEmpty(programs);
        Assert.All(programs, path => Assert.InRange(SourceTree.Read(path).Split('\n').Length, 1, ProgramLines));
    }

    [Fact]
    public void Files_NameNoPlaceOfOneMachine() =>
        Assert.DoesNotContain(SourceTree.Texts, path => MachinePath().IsMatch(SourceTree.Read(path)));

    [GeneratedRegex("(Helper|Util|Manager|Common)s?$|Utilit(y|ies)$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex VagueName();

    [GeneratedRegex(@"\b(class|record|struct|interface|enum)\s+\w*(Helper|Util|Manager|Common)(s|ity|ities)?\b", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex VagueType();

    [GeneratedRegex(@"\bDateTime(Offset)?\.(UtcNow|Now|Today)\b|\bThread\.Sleep\b", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex WallClock();

    // A home directory, or a folder that only one machine has.
    [GeneratedRegex(@"(?<![\w./$}])/(root|work|home/[a-z]+)/", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex MachinePath();
}
