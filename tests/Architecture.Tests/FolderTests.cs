using System.Reflection;
using Flurrty.Architecture.Tests.Planted.East;
using Flurrty.Architecture.Tests.Planted.West;

namespace Flurrty.Architecture.Tests;

/// <summary>The folders of a project stand on each other and never in a circle, so that each can be read before those above it.</summary>
public sealed class FolderTests
{
    private static readonly string[] HeldNames = ["Contracts", "Gateway", "Messaging", "Migrations", "TrainingService"];
    private static readonly string[] StillToComeNames = ["RegistryService", "Sandbox", "ServiceDefaults", "UploadService"];

    public static TheoryData<string> Held => [.. HeldNames];

    /// <summary>Projects that still have circles.</summary>
    public static TheoryData<string> StillToCome => [.. StillToComeNames];

    [Theory]
    [MemberData(nameof(Held))]
    public void Folders_OfAProject_FormNoCircle(string project) => Assert.Empty(CirclesOf(Load(project).GetTypes(), $"Flurrty.{project}"));

    [Theory]
    [MemberData(nameof(StillToCome))]
    public void Folders_OfAProjectStillToCome_HaveACircle(string project) =>
        Assert.True(
            CirclesOf(Load(project).GetTypes(), $"Flurrty.{project}").Any(), $"{project} has no circle any more: it is to be held to that from now on.");

    /// <summary>The graph sees a circle, at the top of a project and within a folder.</summary>
    [Theory]
    [InlineData("Flurrty.Architecture.Tests.Planted")]
    [InlineData("Flurrty.Architecture.Tests")]
    public void Folders_WithACirclePlanted_AreSeen(string root)
    {
        Type[] planted = [typeof(IDay), typeof(INight)];

        var circle = CirclesOf(planted, root).First();

        Assert.Equal("East -> West (IDay uses INight), West -> East (INight uses IDay)", circle);
    }

    [Fact]
    public void Projects_OfTheSolution_AreAllNamed()
    {
        // ImagingChild has one folder; AppHost builds the topology and is no library that can be loaded here.
        string[] named = [.. HeldNames, .. StillToComeNames, "AppHost", "ImagingChild"];
        var projects = SourceTree.Files
            .Where(path => path.EndsWith(".csproj", StringComparison.Ordinal) && !path.StartsWith("tests/", StringComparison.Ordinal))
            .Select(path => Path.GetFileNameWithoutExtension(path)!);
        Assert.Equal(named.Order(StringComparer.Ordinal), projects.Order(StringComparer.Ordinal));
    }

    private static IEnumerable<string> CirclesOf(IReadOnlyCollection<Type> types, string root) =>
        FolderGraph.Of(types, root).SelectMany(graph => graph.Circles());

    private static Assembly Load(string project) => Assembly.LoadFrom(Path.Combine(AppContext.BaseDirectory, $"Flurrty.{project}.dll"));
}
