using System.Globalization;
using System.Text;

namespace Flurrty.UploadService.PhotoSets;

/// <summary>Makes a sender's file name fit to be shown. It is never used as a path or key.</summary>
internal static class FileNames
{
    public static string? Clean(string? sent)
    {
        if (string.IsNullOrWhiteSpace(sent))
        {
            return null;
        }

        var name = sent[(sent.LastIndexOfAny(['/', '\\']) + 1)..];
        var clean = new StringBuilder(Math.Min(name.Length, Photo.LongestFileName));
        foreach (var rune in name.EnumerateRunes())
        {
            // Control and format characters could turn the direction of a line or break it.
            var category = Rune.GetUnicodeCategory(rune);
            if (category is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
                or UnicodeCategory.PrivateUse or UnicodeCategory.Surrogate or UnicodeCategory.OtherNotAssigned || rune == Rune.ReplacementChar)
            {
                continue;
            }

            if (clean.Length + rune.Utf16SequenceLength > Photo.LongestFileName)
            {
                break;
            }

            clean.Append(rune.ToString());
        }

        var result = clean.ToString().Trim();
        return result.Length == 0 ? null : result;
    }
}
