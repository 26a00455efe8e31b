using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using AnyAscii;

namespace Flurrty.RegistryService.Identities;

/// <summary>The name that a person gives to an identity, and the plain form of it that file names and model ids use.</summary>
internal static class IdentityName
{
    public const int MaxLength = 64;
    private const int MaxSlugLength = 40;
    private const int HashBytes = 4;

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

    /// <summary>The name in ASCII letters, digits and hyphens. A name that cannot be written so gets a word that is always the same for it.</summary>
    public static string Slug(string name)
    {
        var slug = new StringBuilder(MaxSlugLength);
        foreach (var rune in name.EnumerateRunes())
        {
            foreach (var letter in ToAscii(rune))
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
        }

        var plain = slug.ToString().TrimEnd('-');
        return plain.Length == 0 ? $"identity-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)).AsSpan(0, HashBytes))}" : plain;
    }

    private static string ToAscii(Rune rune)
    {
        if (IsIdeograph(rune))
        {
            return "-";
        }

        if (Rune.IsLetter(rune))
        {
            // Signs that only help to read the letters, such as a breathing, do not part a word.
            return string.Concat(Encoding.ASCII.GetString(Transliteration.Transliterate(rune)).Where(char.IsAsciiLetterOrDigit));
        }

        return Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format => "",
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Encoding.ASCII.GetString(Transliteration.Transliterate(rune)),
            _ => "-",
        };
    }

    // The same sign is read in one way in China and in another in Japan, and no name tells which.
    private static bool IsIdeograph(Rune rune) =>
        rune.Value is (>= 0x3005 and <= 0x3007) or (>= 0x3400 and <= 0x4DBF) or (>= 0x4E00 and <= 0x9FFF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x20000 and <= 0x3FFFF);

    // Formatting marks turn text around or hide letters; the joiner is left for scripts and emoji that need it.
    private static bool IsUnprintable(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.OtherNotAssigned
            or UnicodeCategory.PrivateUse or UnicodeCategory.Surrogate => true,
        UnicodeCategory.Format => rune.Value is not (0x200C or 0x200D),
        _ => rune.Value == 0xFFFD,
    };
}
