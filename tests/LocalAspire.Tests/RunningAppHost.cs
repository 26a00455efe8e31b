using Aspire.Hosting;
using Aspire.Hosting.Testing;

namespace Flurrty.LocalAspire.Tests;

/// <summary>The fixture AppHost, started once for the tests that only look at it, with the dashboard.</summary>
[CollectionDefinition(Collection)]
public sealed class RunningAppHost : IAsyncLifetime, ICollectionFixture<RunningAppHost>
{
    internal const string Collection = "running AppHost";

    internal const string Leak = "LOCALASPIRE_TEST_LEAK";
    private IDistributedApplicationTestingBuilder? _builder;

    internal DistributedApplication App { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Environment.SetEnvironmentVariable(Leak, "a secret of the AppHost");
        _builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Fixture_AppHost>(
            [],
            (options, _) => options.DisableDashboard = false,
            Deadline.In(30));
        App = await _builder.BuildAsync(Deadline.In(30));
        await App.StartAsync(Deadline.In(90));
        await App.ResourceNotifications.WaitForResourceHealthyAsync("web", Deadline.In(30));
        await App.ResourceNotifications.WaitForResourceHealthyAsync("front", Deadline.In(30));
    }

    public async Task DisposeAsync()
    {
        await App.DisposeAsync();
        await _builder!.DisposeAsync();
    }
}
