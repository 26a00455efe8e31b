using System.Diagnostics;

namespace Aspire.Hosting.Orchestration;

/// <summary>Finds what a project was built to: starting it must not build it again.</summary>
internal static class ProjectOutput
{
    /// <summary>The dotnet command that runs this process, else the one on PATH.</summary>
    internal static string DotnetHost { get; } = FindHost();

    internal static string AssemblyOf(IProjectMetadata metadata)
    {
        var attribute = (ProjectAssemblyAttribute?)Attribute.GetCustomAttribute(metadata.GetType(), typeof(ProjectAssemblyAttribute));
        var path = attribute?.Path ?? Guess(metadata.ProjectPath);
        return File.Exists(path)
            ? path
            : throw new DistributedApplicationException($"The project '{metadata.ProjectPath}' is not built: '{path}' is missing.");
    }

    /// <summary>A project that is known by path only is taken from its newest build.</summary>
    private static string Guess(string projectPath)
    {
        if (!File.Exists(projectPath))
        {
            throw new DistributedApplicationException($"The project '{projectPath}' does not exist.");
        }

        var name = Path.GetFileNameWithoutExtension(projectPath);
        var output = Path.Combine(Path.GetDirectoryName(projectPath)!, "bin");
        var built = !Directory.Exists(output) ? null : Directory
            .EnumerateFiles(output, "*.runtimeconfig.json", SearchOption.AllDirectories)
            .Select(f => f[..^".runtimeconfig.json".Length] + ".dll")
            .Where(File.Exists)
            .OrderByDescending(File.GetLastWriteTimeUtc)
            .FirstOrDefault();
        return built ?? Path.Combine(output, $"{name}.dll");
    }

    private static string FindHost()
    {
        using var self = Process.GetCurrentProcess();
        string?[] candidates =
        [
            Environment.GetEnvironmentVariable("DOTNET_HOST_PATH"),
            self.MainModule?.FileName,
            Environment.GetEnvironmentVariable("DOTNET_ROOT") is { Length: > 0 } root ? Path.Combine(root, "dotnet") : null,
        ];
        return candidates.FirstOrDefault(c => c is not null && Path.GetFileName(c) == "dotnet" && File.Exists(c)) ?? "dotnet";
    }
}
