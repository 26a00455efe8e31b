using Flurrty.TrainingService.Providers.Replicate;

namespace Flurrty.TrainingService.Tests.Providers;

public sealed class DeliveryHostsTests
{
    [Theory]
    [InlineData("https://replicate.delivery/xezq/a/flux-lora.tar", true)]
    [InlineData("https://pbxt.replicate.delivery/a.tar", true)]
    [InlineData("https://api.replicate.com/v1/files/a", true)]
    [InlineData("http://replicate.delivery/a.tar", false)]
    [InlineData("https://replicate.delivery:8443/a.tar", false)]
    [InlineData("https://replicate.delivery.evil.example/a.tar", false)]
    [InlineData("https://evilreplicate.delivery/a.tar", false)]
    [InlineData("https://user@replicate.delivery/a.tar", false)]
    [InlineData("https://127.0.0.1/a.tar", false)]
    [InlineData("https://169.254.169.254/latest", false)]
    [InlineData("file:///etc/passwd", false)]
    public void Artifact_AtReplicate_IsAllowedOnItsHostsOnly(string location, bool allowed) =>
        Assert.Equal(allowed, DeliveryHosts.Allows(Options("https://api.replicate.com/v1"), new Uri(location)));

    [Theory]
    [InlineData("http://127.0.0.1:5050/delivery/a.tar", true)]
    [InlineData("http://127.0.0.1:5051/delivery/a.tar", false)]
    [InlineData("http://localhost:5050/delivery/a.tar", false)]
    [InlineData("https://127.0.0.1:5050/delivery/a.tar", false)]
    public void Artifact_AtTheSandbox_IsAllowedAtItsVeryAddressOnly(string location, bool allowed) =>
        Assert.Equal(allowed, DeliveryHosts.Allows(Options("http://127.0.0.1:5050/v1"), new Uri(location)));

    private static ReplicateOptions Options(string baseUrl)
    {
        var options = new ReplicateOptions { BaseUrl = new Uri(baseUrl) };
        Array.ForEach(DeliveryHosts.Default, options.DeliveryHosts.Add);
        return options;
    }
}
