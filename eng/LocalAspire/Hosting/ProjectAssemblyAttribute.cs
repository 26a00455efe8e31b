namespace Aspire.Hosting;

/// <summary>Says on a generated project class where the project's assembly is.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class ProjectAssemblyAttribute(string path) : Attribute
{
    /// <summary>The path of the assembly.</summary>
    public string Path { get; } = path;
}
