using Flurrty.NativeInfrastructure;

namespace Flurrty.Architecture.Tests;

/// <summary>The files that people write, by their path from the top.</summary>
internal static class SourceTree
{
    private static readonly string[] Made = ["bin", "obj", ".git", ".data", ".vs", ".idea", "artifacts", "node_modules", "TestResults"];
    private static readonly string[] Readable = [".cs", ".csproj", ".props", ".targets", ".json", ".sh", ".py", ".yml", ".yaml", ".js", ".mjs", ".html", ".sln", ".editorconfig", ""];

    public static IReadOnlyList<string> Files { get; } = [.. Walk(Repository.Root).Select(path => Path.GetRelativePath(Repository.Root, path).Replace('\\', '/')).Order(StringComparer.Ordinal)];

    /// <summary>Files whose text is looked at.</summary>
    public static IEnumerable<string> Texts => Files.Where(path => Readable.Contains(Path.GetExtension(path), StringComparer.Ordinal));

    public static string Read(string path) => File.ReadAllText(Path.Combine(Repository.Root, path));

    private static IEnumerable<string> Walk(string directory) => Directory.EnumerateFiles(directory)
        .Concat(Directory.EnumerateDirectories(directory)
            .Where(child => !Made.Contains(Path.GetFileName(child), StringComparer.Ordinal) && !File.GetAttributes(child).HasFlag(FileAttributes.ReparsePoint))
            .SelectMany(Walk));
}
