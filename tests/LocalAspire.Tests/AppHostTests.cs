using Aspire.Hosting.Testing;

namespace Flurrty.LocalAspire.Tests;

/// <summary>An AppHost project, run as a test runs it.</summary>
public sealed class AppHostTests
{
    [Fact]
    public async Task AppHost_Started_ServesAllItsResources()
    {
        await using var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Fixture_AppHost>(Deadline.In(30));
        await using var app = await builder.BuildAsync(Deadline.In(30));
        await app.StartAsync(Deadline.In(60));

        await app.ResourceNotifications.WaitForResourceHealthyAsync("web", Deadline.In(30));
        using var client = app.CreateHttpClient("web");
        Assert.Equal("s3cret{{x}}", await client.GetStringAsync("/env/PASSWORD"));
    }
}
