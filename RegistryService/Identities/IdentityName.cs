using System.Globalization;
using System.Text;

namespace Flurrty.RegistryService.Identities;

/// <summary>The name that a person gives to an identity, and the plain form of it that file names and model ids use.</summary>
internal static class IdentityName
{
    public const int MaxLength = 64;
    private const int MaxSlugLength = 40;

    /// <summary>Says what is wrong with a trimmed name, or null.</summary>
    public static string? Refuse(string name)
    {
        if (name.Length == 0)
        {
            return "A name is needed.";
        }

        if (name.EnumerateRunes().Count() > MaxLength)
        {
            return $"A name has at most {MaxLength} characters.";
        }

        if (name.EnumerateRunes().Any(IsUnprintable))
        {
            return "A name has no line breaks, control characters or invisible formatting marks.";
        }

        return name.EnumerateRunes().Any(Rune.IsLetterOrDigit) ? null : "A name has at least one letter or digit.";
    }

    public static string Slug(string name)
    {
        var slug = new StringBuilder(MaxSlugLength);
        foreach (var letter in name)
        {
            if (slug.Length == MaxSlugLength)
            {
                break;
            }

            if (char.IsAsciiLetterOrDigit(letter))
            {
                slug.Append(char.ToLowerInvariant(letter));
            }
            else if (slug.Length > 0 && slug[^1] != '-')
            {
                slug.Append('-');
            }
        }

        var plain = slug.ToString().TrimEnd('-');
        return plain.Length == 0 ? "identity" : plain;
    }

    // Formatting marks turn text around or hide letters; the joiner is left for scripts and emoji that need it.
    private static bool IsUnprintable(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.OtherNotAssigned
            or UnicodeCategory.PrivateUse or UnicodeCategory.Surrogate => true,
        UnicodeCategory.Format => rune.Value is not (0x200C or 0x200D),
        _ => rune.Value == 0xFFFD,
    };
}
