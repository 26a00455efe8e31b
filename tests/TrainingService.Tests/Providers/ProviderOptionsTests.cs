using Flurrty.TrainingService.Providers;
using Flurrty.TrainingService.Providers.Replicate;
using Flurrty.TrainingService.Webhooks;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Tests.Providers;

/// <summary>Whether money is spent is said by the mode, and nothing else may contradict it.</summary>
public sealed class ProviderOptionsTests
{
    private const string Real = "https://api.replicate.com/v1";
    private const string Here = "http://127.0.0.1:5050/v1";

    [Theory]
    [InlineData("live", Real)]
    [InlineData("live", "https://proxy.example/replicate/v1")]
    [InlineData("sandbox", Here)]
    public void Replicate_ModeAndAddressThatAgree_AreAccepted(string mode, string baseUrl) => Assert.Empty(Errors(mode, baseUrl, "r8_x"));

    [Theory]
    [InlineData(null, Here, "r8_x", "Mode must be")]
    [InlineData("", Here, "r8_x", "Mode must be")]
    [InlineData("lve", Here, "r8_x", "Mode must be")]
    [InlineData("Live", Real, "r8_x", "Mode must be")]
    [InlineData("sandbox", Real, "r8_x", "The mode decides the address")]
    [InlineData("sandbox", "https://API.Replicate.com/v1", "r8_x", "The mode decides the address")]
    [InlineData("live", Here, "r8_x", "must be https")]
    [InlineData("live", Real, "", "ApiToken is missing")]
    [InlineData("live", Real, "r8_x\n", "ApiToken holds")]
    [InlineData("live", Real, "r8 x", "ApiToken holds")]
    public void Replicate_Contradiction_IsRefusedWithASentence(string? mode, string baseUrl, string token, string sentence) =>
        Assert.Contains(Errors(mode, baseUrl, token), error => error.Contains(sentence, StringComparison.Ordinal));

    [Fact]
    public void Replicate_Off_NeedsNoToken() => Assert.Empty(Errors("off", Real, ""));

    [Fact]
    public void Replicate_SeveralErrors_AreToldAtOnce() => Assert.Equal(2, Errors("live", Here, "").Count);

    [Theory]
    [InlineData("6fa459ea-ee8a-3ca4-894e-db77e160355e", true)]
    [InlineData("00000000-0000-0000-0000-000000000000", false)]
    [InlineData("x", false)]
    [InlineData(null, false)]
    public void Installation_Id_IsAUuid(string? id, bool valid) =>
        Assert.Equal(valid, new InstallationOptionsRules().Validate(null, new InstallationOptions { Id = id }).Succeeded);

    [Theory]
    [InlineData("http://127.0.0.1:8080", false, 0)]
    [InlineData("http://127.0.0.1:8080", true, 2)]
    [InlineData("https://localhost", true, 1)]
    [InlineData("http://flurrty.example", true, 1)]
    [InlineData("https://flurrty.example/under/a/path", true, 0)]
    [InlineData("https://user:word@flurrty.example", false, 1)]
    [InlineData("ftp://flurrty.example", false, 1)]
    [InlineData("/here", false, 1)]
    public void PublicBaseUrl_WithALiveProvider_IsReachableFromOutside(string url, bool live, int errors)
    {
        IValidateOptions<WebhookOptions>[] rules = [new WebhookOptionsRules(), new LiveProviderRules(live ? [new LiveProvider("replicate")] : [])];
        var options = new WebhookOptions { PublicBaseUrl = new Uri(url, UriKind.RelativeOrAbsolute) };

        Assert.Equal(errors, rules.Sum(rule => rule.Validate(null, options).Failures?.Count() ?? 0));
    }

    private static IReadOnlyList<string> Errors(string? mode, string baseUrl, string token)
    {
        var options = new ReplicateOptions { Mode = mode, BaseUrl = new Uri(baseUrl), ApiToken = token };
        Array.ForEach(DeliveryHosts.Default, options.DeliveryHosts.Add);
        return [.. new ReplicateOptionsRules().Validate(null, options).Failures ?? []];
    }
}
