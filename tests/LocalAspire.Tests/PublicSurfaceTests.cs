using System.Reflection;
using Aspire.Hosting;
using Aspire.Hosting.Testing;

namespace Flurrty.LocalAspire.Tests;

/// <summary>LocalAspire is a part of Aspire's API and nothing else: AspireApi.txt lists it, with where each member is known from.</summary>
public sealed class PublicSurfaceTests
{
    private static readonly Assembly[] Assemblies = [typeof(DistributedApplication).Assembly, typeof(DistributedApplicationTestingBuilder).Assembly];

    [Fact]
    public void PublicMembers_OfLocalAspire_AreThoseInTheFile()
    {
        var actual = Assemblies.SelectMany(PublicSurface.Of).ToHashSet(StringComparer.Ordinal);
        var listed = Listed().ToHashSet(StringComparer.Ordinal);
        var unlisted = actual.Except(listed, StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
        var gone = listed.Except(actual, StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
        Assert.True(
            unlisted.Length == 0 && gone.Length == 0,
            $"Not in AspireApi.txt:\n{string.Join('\n', unlisted)}\n\nIn AspireApi.txt, but not in LocalAspire:\n{string.Join('\n', gone)}");
    }

    [Fact]
    public void Members_ThatAspireDoesNotHave_AreFewAndExplained()
    {
        var lines = File.ReadAllLines(PathOfList());
        var start = Array.IndexOf(lines, "## Only in LocalAspire");
        Assert.True(start > 0, "the section is missing");
        Assert.Contains(lines.Skip(start + 1).Take(5), l => l.StartsWith("# Why:", StringComparison.Ordinal));
        var own = lines.Skip(start + 1).Where(l => l.Length > 0 && l[0] != '#').ToArray();
        Assert.InRange(own.Length, 1, 4);
        Assert.All(own, l => Assert.StartsWith("Aspire.Hosting.ProjectAssemblyAttribute: ", l, StringComparison.Ordinal));
    }

    private static IEnumerable<string> Listed() => File.ReadLines(PathOfList()).Where(l => l.Length > 0 && l[0] != '#');

    private static string PathOfList() => Path.Combine(AppContext.BaseDirectory, "AspireApi.txt");
}
