using System.Diagnostics;
using System.Globalization;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Flurrty.LocalAspire.Tests;

/// <summary>How the processes of resources end, are stopped and start again.</summary>
public sealed class ProcessTests
{
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
        await app.ResourceNotifications.WaitForResourceAsync("parent", KnownResourceStates.Exited, Deadline.In(30));
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

    private static void Kill(CustomResourceSnapshot snapshot)
    {
        var pid = (int)snapshot.Properties.Single(p => p.Name == "executable.pid").Value!;
        using var process = Process.GetProcessById(pid);
        process.Kill();
        Assert.True(process.Id == pid, pid.ToString(CultureInfo.InvariantCulture));
    }
}
