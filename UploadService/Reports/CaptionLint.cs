using System.Globalization;
using System.Text;

namespace Flurrty.UploadService.Reports;

/// <summary>
/// Looks over the captions that a set has. What every caption names, the training does not tie to the trigger word; what none names, it does:
/// so the trigger word belongs into each, and a fixed trait of the person into none.
/// </summary>
internal static class CaptionLint
{
    private const string TriggerMark = "{trigger}";
    private const int FewestForATrait = 3;
    private const int LongestPhrase = 4;
    private const int MostShown = 3;

    // Words of every caption that say nothing of the person, and the class nouns that trainers even ask for.
    private static readonly HashSet<string> Ordinary = new(StringComparer.Ordinal)
    {
        "a", "an", "and", "are", "as", "at", "by", "for", "from", "he", "her", "his", "in", "is", "it", "its", "of", "on", "or", "she", "the", "their", "they", "this", "to", "was", "with",
        "photo", "photograph", "picture", "image", "portrait", "shot", "snapshot", "selfie", "closeup", "close", "up", "view",
        "person", "man", "woman", "boy", "girl", "male", "female", "human",
    };

    /// <param name="captions">One per photo; null or blank where there is none.</param>
    /// <param name="triggerWord">
    /// The trigger word, if the set knows one. It is given with the identity, so before the first training there is none:
    /// then a word is taken for it that all captions share and that is in capitals, has a digit, or begins each of them.
    /// </param>
    public static IReadOnlyList<Finding> Check(IReadOnlyList<string?> captions, string? triggerWord)
    {
        var asWritten = captions.Where(static caption => !string.IsNullOrWhiteSpace(caption)).Select(static caption => Words(caption!)).Where(static words => words.Length > 0).ToList();
        var written = asWritten.ConvertAll(Lower);
        if (written.Count == 0)
        {
            return [];
        }

        var trigger = triggerWord is { Length: > 0 } ? Lower(Words(triggerWord)) : Guess(asWritten, written);
        var warnings = new List<Finding>();
        var without = written.Count(words => !words.Contains(TriggerMark, StringComparer.Ordinal) && !ContainsPhrase(words, trigger));
        if (without > 0)
        {
            warnings.Add(new Finding("trigger_missing", string.Create(
                CultureInfo.InvariantCulture,
                $"{without} of {written.Count} captions do not have the trigger word; it is put before their text. Write {TriggerMark} where the person is meant.")));
        }

        if (written.Count >= FewestForATrait)
        {
            var traits = Phrases(written, [TriggerMark, .. trigger]);
            warnings.AddRange(traits.Take(MostShown).Select(static trait => new Finding(
                "repeated_trait",
                $"Every caption says \"{trait}\". What is always true of the person belongs to the trigger word: leave it out, and describe what differs, such as pose, clothes, light and place.")));
        }

        return warnings;
    }

    private static string[] Guess(List<string[]> asWritten, List<string[]> written)
    {
        if (written.Count < 2 || written.Exists(static words => words.Contains(TriggerMark, StringComparer.Ordinal)))
        {
            return [];
        }

        var conspicuous = asWritten[0].FirstOrDefault(word => IsConspicuous(word) && asWritten.TrueForAll(words => words.Contains(word, StringComparer.Ordinal)));
        if (conspicuous is not null)
        {
            return Lower([conspicuous]);
        }

        // As a part of a longer phrase it is a trait more likely than a name.
        var first = Phrases(written, []).Find(phrase => written.TrueForAll(words => string.Equals(words[0], phrase, StringComparison.Ordinal)));
        return first is null ? [] : [first];
    }

    private static bool IsConspicuous(string word) =>
        word.Any(char.IsDigit) || (word.Length > 1 && word.Any(char.IsUpper) && !word.Any(char.IsLower));

    private static string[] Lower(string[] words) => Array.ConvertAll(words, static word => word.ToLowerInvariant());

    private static bool ContainsPhrase(string[] words, ReadOnlySpan<string> phrase)
    {
        if (phrase.Length == 0)
        {
            return false;
        }

        for (var at = 0; at + phrase.Length <= words.Length; at++)
        {
            if (words.AsSpan(at, phrase.Length).SequenceEqual(phrase))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The longest runs of words that every caption has, without ordinary words at their ends.</summary>
    private static List<string> Phrases(List<string[]> written, HashSet<string> leaveOut)
    {
        var first = written[0];
        var found = new List<string>();
        var covered = new HashSet<int>();
        for (var length = LongestPhrase; length > 0; length--)
        {
            for (var at = 0; at + length <= first.Length; at++)
            {
                var run = first.AsSpan(at, length);
                if (Enumerable.Range(at, length).Any(covered.Contains) || Ordinary.Contains(run[0]) || Ordinary.Contains(run[^1])
                    || run.ToArray().Any(leaveOut.Contains) || !EveryOneHas(written, run))
                {
                    continue;
                }

                covered.UnionWith(Enumerable.Range(at, length));
                var phrase = string.Join(' ', run.ToArray());
                if (!found.Contains(phrase, StringComparer.Ordinal))
                {
                    found.Add(phrase);
                }
            }
        }

        return found;
    }

    private static bool EveryOneHas(List<string[]> written, ReadOnlySpan<string> phrase)
    {
        foreach (var words in written)
        {
            if (!ContainsPhrase(words, phrase))
            {
                return false;
            }
        }

        return true;
    }

    private static string[] Words(string caption)
    {
        var words = new List<string>();
        var word = new StringBuilder();
        foreach (var character in caption.Replace(TriggerMark, $" {TriggerMark} ", StringComparison.Ordinal))
        {
            if (char.IsLetterOrDigit(character) || character is '\'' or '’' or '-' or '_' or '{' or '}' || CharUnicodeInfo.GetUnicodeCategory(character) == UnicodeCategory.NonSpacingMark || char.IsSurrogate(character))
            {
                word.Append(character);
            }
            else if (word.Length > 0)
            {
                words.Add(word.ToString());
                word.Clear();
            }
        }

        if (word.Length > 0)
        {
            words.Add(word.ToString());
        }

        return [.. words];
    }
}
