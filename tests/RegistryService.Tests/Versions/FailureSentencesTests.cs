using Flurrty.RegistryService.Versions;

namespace Flurrty.RegistryService.Tests.Versions;

public sealed class FailureSentencesTests
{
    private static readonly string[] Codes =
    [
        "provider_credentials_refused", "provider_mode_changed", "provider_authentication", "provider_access_lost", "provider_payment_required", "provider_rejected_input", "provider_rate_limited", "provider_unavailable", "provider_timeout",
        "provider_run_vanished", "unknown_run", "model_invalid", "model_download_failed", "dataset_refused", "training_failed", "canceled",
    ];

    [Fact]
    public void Table_Codes_AreTheOnesThatTrainingsFailWith() => Assert.Equal(Codes.Order(StringComparer.Ordinal), FailureSentences.Codes.Order(StringComparer.Ordinal));

    [Fact]
    public void For_EachCode_SaysWhatToDoInItsOwnSentence()
    {
        Assert.Equal(Codes.Length, Codes.Select(FailureSentences.For).Distinct(StringComparer.Ordinal).Count());
        Assert.All(Codes, code => Assert.Matches(@"(?i)\b(create|check|add|try|look)\b.*\.$", FailureSentences.For(code)));
    }

    [Theory]
    [InlineData("dataset_refused:photo_missing", "dataset_refused")]
    [InlineData("never_heard_of", "training_failed")]
    [InlineData("", "training_failed")]
    public void For_CodeOutsideTheTable_TakesTheNearestSentence(string code, string known) => Assert.Equal(FailureSentences.For(known), FailureSentences.For(code));
}
