namespace Aspire.Hosting.ApplicationModel;

internal static class ModelName
{
    private const int MaximumLength = 64;

    /// <summary>Names become host names and parts of environment variables, hence letters, digits and single hyphens only.</summary>
    internal static void Validate(string name, string kind)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var valid = name.Length <= MaximumLength
            && char.IsAsciiLetter(name[0])
            && name[^1] != '-'
            && !name.Contains("--", StringComparison.Ordinal)
            && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '-');
        if (!valid)
        {
            throw new ArgumentException(
                $"The {kind} name '{name}' is invalid: it must start with a letter, hold only ASCII letters, digits and single hyphens, not end with a hyphen, and be at most {MaximumLength} characters long.",
                nameof(name));
        }
    }
}
