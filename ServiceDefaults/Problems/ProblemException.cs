namespace Flurrty.ServiceDefaults.Problems;

/// <summary>A refusal found deep inside; the exception handler answers with its problem.</summary>
/// <param name="status">HTTP status, 400 to 599.</param>
/// <param name="code">Stable code in snake case.</param>
/// <param name="title">What is wrong.</param>
/// <param name="detail">What to do about it. Never a secret.</param>
#pragma warning disable CA1032, RCS1194 // A problem has no meaning without its parts.
public sealed class ProblemException(int status, string code, string title, string detail) : Exception($"{code}: {title}")
#pragma warning restore CA1032, RCS1194
{
    /// <summary>HTTP status.</summary>
    public int Status { get; } = status;

    /// <summary>Stable code.</summary>
    public string Code { get; } = code;

    /// <summary>What is wrong.</summary>
    public string Title { get; } = title;

    /// <summary>What to do about it.</summary>
    public string Detail { get; } = detail;

    /// <summary>Further members of the problem.</summary>
    public IDictionary<string, object?> Extensions { get; } = new Dictionary<string, object?>(StringComparer.Ordinal);
}
