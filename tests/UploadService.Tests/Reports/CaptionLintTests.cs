using Flurrty.UploadService.Reports;

namespace Flurrty.UploadService.Tests.Reports;

public sealed class CaptionLintTests
{
    public static TheoryData<string, string?, string[], string[]> Cases => new()
    {
        { "no captions", null, ["", "  ", ""], [] },
        { "captions without a word", null, ["!!!", "...", "—"], [] },
        { "the mark in each", null, ["{trigger} on a beach", "{trigger} in a kitchen", "a photo of {trigger}"], [] },
        { "the word in each", "ZORK", ["ZORK on a beach", "zork in a kitchen", "a photo of Zork"], [] },
        { "the word missing from one", "ZORK", ["ZORK on a beach", "in a kitchen", "a photo of ZORK"], ["trigger_missing: 1 of 3"] },
        { "part of a word is not the word", "ZORK", ["ZORKS on a beach"], ["trigger_missing: 1 of 1"] },
        { "no word is known and none is shared", null, ["on a beach", "in a kitchen", "at night"], ["trigger_missing: 3 of 3"] },
        { "no word is known but one is shared", null, ["TOK on a beach", "TOK in a kitchen", "TOK at night"], [] },
        { "a word of two words", "blue fox", ["blue fox on a beach", "blue car"], ["trigger_missing: 1 of 2"] },
        { "a trait in each", "ZORK", ["ZORK with red hair on a beach", "red hair, ZORK, kitchen", "ZORK, red hair, at night"], ["repeated_trait: \"red hair\""] },
        { "two traits in each", null, ["{trigger}, glasses, red hair, sea", "{trigger}, red hair and glasses", "red hair, glasses, {trigger} at night"], ["repeated_trait: \"red hair\"", "repeated_trait: \"glasses\""] },
        { "no word is known but one begins each", null, ["ohwx man on a beach", "ohwx man in a kitchen", "ohwx at night"], [] },
        { "no word is known and a trait is shared", null, ["red hair, sea", "red hair, kitchen", "red hair at night"], ["trigger_missing: 3 of 3", "repeated_trait: \"red hair\""] },
        { "a trait beside a guessed word", null, ["TOK with freckles on a beach", "TOK, freckles, in a kitchen", "TOK at night, freckles"], ["repeated_trait: \"freckles\""] },
        { "a trait in most", "ZORK", ["ZORK with red hair", "ZORK with red hair", "ZORK in a hat"], [] },
        { "only two captions", "ZORK", ["ZORK with red hair", "ZORK with red hair"], [] },
        { "class nouns and filling", "ZORK", ["a photo of ZORK woman", "a photo of ZORK woman", "a photo of ZORK woman"], [] },
        { "other letters", "ZORK", ["ZORK с рыжими волосами", "ZORK с рыжими волосами дома", "ZORK и с рыжими волосами"], ["repeated_trait: \"с рыжими волосами\""] },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Captions_OfASet_GetTheirWarnings(string name, string? trigger, string[] captions, string[] expected)
    {
        var warnings = CaptionLint.Check(captions, trigger).Select(warning => $"{warning.Code}: {warning.Message}").ToArray();
        Assert.True(warnings.Length == expected.Length, $"{name}: {string.Join(" | ", warnings)}");
        Assert.All(expected.Zip(warnings), static pair => Assert.Contains(
            pair.First[(pair.First.IndexOf(' ', StringComparison.Ordinal) + 1)..], pair.Second, StringComparison.Ordinal));
        Assert.Equal(expected.Select(static text => text.Split(':')[0]), warnings.Select(static text => text.Split(':')[0]));
    }
}
