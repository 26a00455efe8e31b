using System.Diagnostics;
using System.Globalization;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Flurrty.LocalAspire.Tests;

/// <summary>Waiting, failing, stopping and restarting, each in an application of its own.</summary>
public sealed class LifecycleTests
{
    [Fact]
    public async Task WaitFor_AnUnhealthyResource_HoldsUntilItIsHealthy()
    {
        var healthy = false;
        using var builder = DistributedApplicationTestingBuilder.Create();
        builder.Services.AddHealthChecks().AddCheck("gate", () => healthy ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("not yet"));
        var first = builder.AddExecutable("first", "sleep", "/", "600").WithHealthCheck("gate");
        builder.AddExecutable("second", "sleep", "/", "600").WaitFor(first);
        await using var app = await builder.BuildAsync();
        var started = app.StartAsync(Deadline.In(60));

        await app.ResourceNotifications.WaitForResourceAsync("first", e => e.Snapshot.HealthStatus == HealthStatus.Unhealthy, Deadline.In(30));
        var waiting = await app.ResourceNotifications.WaitForResourceAsync("second", e => e.Snapshot.State?.Text == KnownResourceStates.Waiting, Deadline.In(30));
        Assert.Equal(["first"], (string[])waiting.Snapshot.Properties.Single(p => p.Name == "resource.waitingFor").Value!);

        // One more round of the check, and still nothing.
        await app.ResourceNotifications.WaitForResourceAsync("first", e => e.Snapshot.HealthReports.Single().Description == "not yet", Deadline.In(30));
        Assert.Null(app.Property("second", "executable.pid"));
        Assert.False(started.IsCompleted);

        healthy = true;
        await started;
        await app.ResourceNotifications.WaitForResourceHealthyAsync("second", Deadline.In(30));
    }

    [Fact]
    public async Task Start_OfAWaitingResource_EndsTheWait()
    {
        using var builder = DistributedApplicationTestingBuilder.Create();
        builder.Services.AddHealthChecks().AddCheck("never", () => HealthCheckResult.Unhealthy());
        var first = builder.AddExecutable("first", "sleep", "/", "600").WithHealthCheck("never");
        builder.AddExecutable("second", "sleep", "/", "600").WaitFor(first);
        await using var app = await builder.BuildAsync();
        var started = app.StartAsync(Deadline.In(60));
        await app.ResourceNotifications.WaitForResourceAsync("second", KnownResourceStates.Waiting, Deadline.In(30));

        var result = await app.ResourceCommands.ExecuteCommandAsync("second", KnownResourceCommands.StartCommand, Deadline.In(30));
        Assert.True(result.Success, result.ErrorMessage);
        await app.ResourceNotifications.WaitForResourceAsync("second", KnownResourceStates.Running, Deadline.In(30));
        await started;
    }

    [Fact]
    public async Task Dependency_ThatFails_FailsWhatWaitsForIt()
    {
        using var builder = DistributedApplicationTestingBuilder.Create();
        builder.Services.AddHealthChecks().AddCheck("never", () => HealthCheckResult.Unhealthy());
        var dies = builder.AddExecutable("dies", "sh", "/", "-c", "exit 3").WithHealthCheck("never");
        var missing = builder.AddExecutable("missing", "/nowhere/at-all", "/");
        builder.AddExecutable("a", "sleep", "/", "600").WaitFor(dies);
        builder.AddExecutable("b", "sleep", "/", "600").WaitFor(missing);
        builder.AddExecutable("c", "sleep", "/", "600").WaitForCompletion(dies);
        builder.AddExecutable("d", "sleep", "/", "600").WaitForCompletion(dies, exitCode: 3);
        await using var app = await builder.BuildAsync();
        await app.StartAsync(Deadline.In(60));

        Assert.Equal(KnownResourceStates.FailedToStart, app.Snapshot("a").State!.Text);
        Assert.Contains("'dies' because it is in the state 'Finished' with exit code 3", app.LogOf("a"), StringComparison.Ordinal);
        Assert.Equal(KnownResourceStates.FailedToStart, app.Snapshot("b").State!.Text);
        Assert.Contains("'missing' because it is in the state 'FailedToStart'", app.LogOf("b"), StringComparison.Ordinal);
        Assert.Equal(KnownResourceStates.FailedToStart, app.Snapshot("c").State!.Text);
        Assert.Contains("where exit code 0 was expected", app.LogOf("c"), StringComparison.Ordinal);
        await app.ResourceNotifications.WaitForResourceAsync("d", KnownResourceStates.Running, Deadline.In(30));

        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => app.ResourceNotifications.WaitForResourceHealthyAsync("dies", Deadline.In(30)));
        Assert.Contains("exit code 3", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Program_ThatIsMissing_FailsToStartAndSaysWhy()
    {
        using var builder = DistributedApplicationTestingBuilder.Create();
        builder.AddExecutable("missing", "/nowhere/at-all", "/");
        await using var app = await builder.BuildAsync();
        await app.StartAsync(Deadline.In(60));
        await app.ResourceNotifications.WaitForResourceAsync("missing", KnownResourceStates.FailedToStart, Deadline.In(30));
        await Deadline.UntilAsync(
            () => Task.FromResult(app.LogOf("missing")),
            log => log.Contains("no such file or directory", StringComparison.Ordinal),
            "the reason in the log");
    }

    [Fact]
    public async Task Process_ThatCrashes_ShowsItsExitCode()
    {
        using var builder = DistributedApplicationTestingBuilder.Create();
        builder.AddExecutable("crash", "sh", "/", "-c", "echo to-out; echo to-err >&2; exit 7");
        await using var app = await builder.BuildAsync();
        await app.StartAsync(Deadline.In(60));
        var ended = await app.ResourceNotifications.WaitForResourceAsync("crash", e => e.Snapshot.ExitCode is not null, Deadline.In(30));
        Assert.Equal(KnownResourceStates.Finished, ended.Snapshot.State!.Text);
        Assert.Equal(KnownResourceStateStyles.Error, ended.Snapshot.State.Style);
        Assert.Equal(7, ended.Snapshot.ExitCode);
        Assert.NotNull(ended.Snapshot.StopTimeStamp);
        await Deadline.UntilAsync(
            () => Task.FromResult(app.LogOf("crash")),
            log => log.Contains("to-out", StringComparison.Ordinal) && log.Contains("to-err", StringComparison.Ordinal),
            "both lines");
    }

    [Fact]
    public async Task Process_KilledWhileAChildHoldsItsOutput_IsSeenToBeGone()
    {
        using var builder = DistributedApplicationTestingBuilder.Create();
        builder.AddExecutable("parent", "sh", "/", "-c", "sleep 30 & wait");
        await using var app = await builder.BuildAsync();
        await app.StartAsync(Deadline.In(60));
        var running = await app.ResourceNotifications.WaitForResourceAsync("parent", e => e.Snapshot.Properties.Any(p => p is { Name: "executable.pid", Value: int }), Deadline.In(30));
        Kill(running.Snapshot);
        await app.ResourceNotifications.WaitForResourceAsync("parent", KnownResourceStates.Exited, Deadline.In(15));
    }

    [Fact]
    public async Task Restart_OfAResource_GivesItANewProcessOnTheSamePort()
    {
        using var builder = DistributedApplicationTestingBuilder.Create();
        builder.AddProject<Projects.Fixture_Web>("web").WithHttpEndpoint().WithHttpHealthCheck("/health");
        await using var app = await builder.BuildAsync();
        await app.StartAsync(Deadline.In(60));
        await app.ResourceNotifications.WaitForResourceHealthyAsync("web", Deadline.In(30));
        using var client = app.CreateHttpClient("web");
        var before = await client.GetStringAsync("/");

        var result = await app.ResourceCommands.ExecuteCommandAsync("web", KnownResourceCommands.RestartCommand, Deadline.In(60));
        Assert.True(result.Success, result.ErrorMessage);
        await app.ResourceNotifications.WaitForResourceHealthyAsync("web", Deadline.In(30));
        using var again = app.CreateHttpClient("web");
        var after = await again.GetStringAsync("/");
        Assert.NotEqual(before, after);
        Assert.Equal(after, app.Property("web", "executable.pid"));
        Assert.Equal(client.BaseAddress, again.BaseAddress);
        Assert.False(Directory.Exists($"/proc/{before}"), $"the process {before} still runs");
    }

    [Fact]
    public async Task Stop_OfAResource_EndsItsProcessAndOffersStart()
    {
        using var builder = DistributedApplicationTestingBuilder.Create();
        builder.AddExecutable("sleeper", "sleep", "/", "600");
        await using var app = await builder.BuildAsync();
        await app.StartAsync(Deadline.In(60));
        await app.ResourceNotifications.WaitForResourceAsync("sleeper", cancellationToken: Deadline.In(30));
        Assert.Equal(("Hidden", "Enabled", "Enabled"), States());

        var result = await app.ResourceCommands.ExecuteCommandAsync("sleeper", KnownResourceCommands.StopCommand, Deadline.In(60));
        Assert.True(result.Success, result.ErrorMessage);
        Assert.Equal(KnownResourceStates.Finished, app.Snapshot("sleeper").State!.Text);
        Assert.Equal(("Enabled", "Hidden", "Disabled"), States());

        await app.ResourceCommands.ExecuteCommandAsync("sleeper", KnownResourceCommands.StartCommand, Deadline.In(60));
        await app.ResourceNotifications.WaitForResourceAsync("sleeper", KnownResourceStates.Running, Deadline.In(30));

        (string Start, string Stop, string Restart) States()
        {
            var commands = app.Snapshot("sleeper").Commands.ToDictionary(c => c.Name, c => c.State.ToString());
            return (commands["resource-start"], commands["resource-stop"], commands["resource-restart"]);
        }
    }

    [Fact]
    public async Task Health_OfARunningResource_FollowsItsEndpoint()
    {
        using var builder = DistributedApplicationTestingBuilder.Create();
        builder.AddProject<Projects.Fixture_Web>("web").WithHttpEndpoint().WithHttpHealthCheck("/health");
        await using var app = await builder.BuildAsync();
        await app.StartAsync(Deadline.In(60));
        await app.ResourceNotifications.WaitForResourceHealthyAsync("web", Deadline.In(30));
        using var client = app.CreateHttpClient("web");
        await client.PostAsync("/health/bad", null);
        var bad = await app.ResourceNotifications.WaitForResourceAsync("web", e => e.Snapshot.HealthStatus == HealthStatus.Unhealthy, Deadline.In(30));
        Assert.Equal("GET /health gave 503 where 200 was expected.", bad.Snapshot.HealthReports.Single().Description);
        await client.PostAsync("/health/good", null);
        await app.ResourceNotifications.WaitForResourceAsync("web", e => e.Snapshot.HealthStatus == HealthStatus.Healthy, Deadline.In(30));
    }

    [Fact]
    public async Task ResourceReady_Handler_IsDoneBeforeWhatWaitsStarts()
    {
        var done = false;
        bool? doneAtStart = null;
        using var builder = DistributedApplicationTestingBuilder.Create();
        var first = builder.AddExecutable("first", "sleep", "/", "600").OnResourceReady(async (_, _, ct) =>
        {
            await Task.Delay(300, ct);
            done = true;
        });
        builder.AddExecutable("second", "sleep", "/", "600").WaitFor(first).OnBeforeResourceStarted((_, _, _) =>
        {
            doneAtStart = done;
            return Task.CompletedTask;
        });
        await using var app = await builder.BuildAsync();
        await app.StartAsync(Deadline.In(60));
        Assert.True(doneAtStart);
    }

    [Fact]
    public async Task Command_OfTheAppHost_RunsAndReportsItsFailure()
    {
        string? ranOn = null;
        using var builder = DistributedApplicationTestingBuilder.Create();
        builder.AddExecutable("sleeper", "sleep", "/", "600")
            .WithCommand("greet", "Greet", context =>
            {
                ranOn = context.ResourceName;
                return Task.FromResult(CommandResults.Success());
            })
            .WithCommand("fail", "Fail", _ => throw new InvalidOperationException("no luck"));
        await using var app = await builder.BuildAsync();
        await app.StartAsync(Deadline.In(60));
        Assert.True((await app.ResourceCommands.ExecuteCommandAsync("sleeper", "greet")).Success);
        Assert.Equal(app.ResourceIds("sleeper").Single(), ranOn);
        var failed = await app.ResourceCommands.ExecuteCommandAsync("sleeper", "fail");
        Assert.False(failed.Success);
        Assert.Equal("no luck", failed.ErrorMessage);
        Assert.False((await app.ResourceCommands.ExecuteCommandAsync("sleeper", "unknown")).Success);
    }

    [Fact]
    public async Task Parameter_WithoutValue_FailsWhatNeedsItOnly()
    {
        using var builder = DistributedApplicationTestingBuilder.Create();
        var missing = builder.AddParameter("not-given");
        builder.AddExecutable("needs", "sleep", "/", "600").WithEnvironment("X", missing);
        builder.AddExecutable("other", "sleep", "/", "600");
        await using var app = await builder.BuildAsync();
        await app.StartAsync(Deadline.In(60));
        Assert.Equal(KnownResourceStates.FailedToStart, app.Snapshot("needs").State!.Text);
        Assert.Contains("'Parameters:not-given' is missing", app.LogOf("needs"), StringComparison.Ordinal);
        await app.ResourceNotifications.WaitForResourceAsync("other", KnownResourceStates.Running, Deadline.In(30));
    }

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

    private static void Kill(CustomResourceSnapshot snapshot)
    {
        var pid = (int)snapshot.Properties.Single(p => p.Name == "executable.pid").Value!;
        using var process = Process.GetProcessById(pid);
        process.Kill();
        Assert.True(process.Id == pid, pid.ToString(CultureInfo.InvariantCulture));
    }
}
