namespace Aspire.Hosting.Orchestration;

internal static class VariableNames
{
    /// <summary>A name as part of an environment variable: upper case, everything but letters and digits an underscore.</summary>
    internal static string Of(string name)
    {
        var text = string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) ? char.ToUpperInvariant(c) : '_'));
        return char.IsAsciiDigit(text[0]) ? $"_{text}" : text;
    }
}
