using Flurrty.Gateway.Accounts;
using Microsoft.Extensions.Options;

namespace Flurrty.Gateway.Tests;

public sealed class ConfigurationTests(GatewayFixture gateway) : IClassFixture<GatewayFixture>
{
    [Fact]
    public void Start_WrongSettings_FailsAndNamesEachOfThem()
    {
        var failure = Assert.ThrowsAny<Exception>(() => gateway.StartGateway(
            ("ApiKeys:0:Sha256", "short"), ("ApiKeys:1:AccountId", Guid.Empty.ToString()), ("ApiKeys:2:Role", "Owner"), ("Limits:PerAccount", "0"), ("Routing:MaxBodyBytes", "-1")));
        foreach (var setting in new[] { "ApiKeys:0:Sha256", "ApiKeys:1:AccountId", "ApiKeys:2:Role", "PerAccount", "MaxBodyBytes" })
        {
            Assert.True(failure.ToString().Contains(setting, StringComparison.Ordinal), $"{setting} is not named: {failure.Message}");
        }
    }

    [Fact]
    public async Task FindOwner_NoKeysConfigured_LetsNobodyIn()
    {
        var keys = new ConfiguredApiKeys(Options.Create(new ApiKeysOptions()));
        Assert.Null(await keys.FindOwnerAsync(GatewayFixture.Key, CancellationToken.None));
    }
}
