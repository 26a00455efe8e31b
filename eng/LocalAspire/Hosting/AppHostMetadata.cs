using System.Reflection;

namespace Aspire.Hosting;

/// <summary>What the build wrote into the AppHost's assembly.</summary>
internal sealed class AppHostMetadata(Assembly? assembly)
{
    private readonly Dictionary<string, string?> _values = (assembly?.GetCustomAttributes<AssemblyMetadataAttribute>() ?? [])
        .GroupBy(a => a.Key, StringComparer.OrdinalIgnoreCase)
        .ToDictionary(g => g.Key, g => g.First().Value, StringComparer.OrdinalIgnoreCase);

    internal string? ProjectDirectory => Value("apphostprojectpath");

    internal string? ProjectName => Path.GetFileNameWithoutExtension(Value("apphostprojectname"));

    internal string? DcpCliPath => Value("dcpclipath");

    internal string? DashboardPath => Value("aspiredashboardpath");

    private string? Value(string key) => _values.TryGetValue(key, out var value) && !string.IsNullOrEmpty(value) ? value : null;
}
