using Flurrty.Gateway.Accounts;
using Microsoft.Extensions.Options;

namespace Flurrty.Gateway.Tests;

public sealed class ConfigurationTests(GatewayFixture gateway) : IClassFixture<GatewayFixture>
{
    [Fact]
    public void Start_WrongSettings_FailsAndNamesEachOfThem()
    {
        var failure = Assert.ThrowsAny<Exception>(() => gateway.StartGateway(
            ("ApiKeys:0:Sha256", "short"), ("ApiKeys:1:AccountId", Guid.Empty.ToString()), ("Limits:PerAccount", "0"), ("Routing:MaxBodyBytes", "-1")));
        foreach (var setting in new[] { "ApiKeys:0:Sha256", "ApiKeys:1:AccountId", "PerAccount", "MaxBodyBytes" })
        {
            Assert.True(failure.ToString().Contains(setting, StringComparison.Ordinal), $"{setting} is not named: {failure.Message}");
        }
    }

    [Fact]
    public async Task FindAccount_NoKeysConfigured_LetsNobodyIn()
    {
        var keys = new ConfiguredApiKeys(Options.Create(new ApiKeysOptions()));
        Assert.Null(await keys.FindAccountAsync(GatewayFixture.Key, CancellationToken.None));
    }
}
