using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;

namespace Flurrty.LocalAspire.Tests;

/// <summary>Whole applications side by side, and what keeps one from starting.</summary>
public sealed class ApplicationTests
{
    [Fact]
    public async Task Applications_TwoAtOnce_KeepOutOfEachOthersWay()
    {
        async Task<(DistributedApplication App, int Port)> StartAsync()
        {
            var builder = DistributedApplicationTestingBuilder.Create();
            builder.AddProject<Projects.Fixture_Web>("web").WithHttpEndpoint(port: 18902).WithHttpHealthCheck("/health");
            var app = await builder.BuildAsync();
            await app.StartAsync(Deadline.In(60));
            await app.ResourceNotifications.WaitForResourceHealthyAsync("web", Deadline.In(30));
            return (app, app.GetEndpoint("web").Port);
        }

        var both = await Task.WhenAll(StartAsync(), StartAsync());
        await using var first = both[0].App;
        await using var second = both[1].App;
        Assert.NotEqual(both[0].Port, both[1].Port);
        await first.DisposeAsync();
        using var client = second.CreateHttpClient("web");
        Assert.Equal(second.Property("web", "executable.pid"), await client.GetStringAsync("/"));
    }

    [Fact]
    public async Task FixedPort_ThatIsTaken_FailsTheStartAndNamesTheEndpoint()
    {
        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        taken.Start();
        var port = ((System.Net.IPEndPoint)taken.LocalEndpoint).Port;
        using var builder = DistributedApplicationTestingBuilder.Create($"--DcpPublisher:RandomizePorts=false");
        builder.AddProject<Projects.Fixture_Web>("web").WithHttpEndpoint(port: port);
        await using var app = await builder.BuildAsync();
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => app.StartAsync(Deadline.In(60)));
        Assert.Equal($"The port {port} of the endpoint 'http' of resource 'web' is taken by another program.", error.Message);
    }

    [Fact]
    public async Task Orchestrator_ThatIsMissing_IsSaidPlainly()
    {
        using var builder = DistributedApplicationTestingBuilder.Create("--DcpPublisher:CliPath=/nowhere/dcp");
        builder.AddExecutable("sleeper", "sleep", "/", "600");
        await using var app = await builder.BuildAsync();
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => app.StartAsync(Deadline.In(60)));
        Assert.Contains("/nowhere/dcp", error.Message, StringComparison.Ordinal);
        Assert.Contains("eng/aspire-cli/install.sh", error.Message, StringComparison.Ordinal);
    }
}
