using System.Globalization;
using System.Text.RegularExpressions;

namespace Flurrty.Architecture.Tests;

/// <summary>Lines are as long as .editorconfig allows, in code and in comments: no formatter breaks them.</summary>
public sealed partial class LineTests
{
    public static TheoryData<string> Held => ["TrainingService/"];

    [Theory]
    [MemberData(nameof(Held))]
    public void Lines_OfAProject_AreWithinTheDeclaredWidth(string folder)
    {
        var declared = DeclaredWidth().Match(SourceTree.Read(".editorconfig")).Groups["width"].ValueSpan;
        var width = int.Parse(declared, NumberStyles.None, CultureInfo.InvariantCulture);
        var files = SourceTree.Files.Where(path => path.StartsWith(folder, StringComparison.Ordinal) && path.EndsWith(".cs", StringComparison.Ordinal))
            .Where(path => !GeneratedMigration().IsMatch(path))
            .ToArray();
        Assert.NotEmpty(files);
        Assert.Empty(files.SelectMany(path => TooLong(path, SourceTree.Read(path), width)));
    }

    [Fact]
    public void Lines_LongerThanTheWidth_AreSeen() =>
        Assert.Equal(["a.cs:2 has 11 characters"], TooLong("a.cs", "0123456789\n01234567890\n", 10));

    private static IEnumerable<string> TooLong(string path, string text, int width) =>
        text.Split('\n').Index().Where(line => line.Item.Length > width).Select(line => $"{path}:{line.Index + 1} has {line.Item.Length} characters");

    [GeneratedRegex(@"^max_line_length = (?<width>\d+)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex DeclaredWidth();

    // What the tool for migrations writes.
    [GeneratedRegex(@"/Migrations/(\d{14}_.*|\w+ModelSnapshot)\.cs$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex GeneratedMigration();
}
