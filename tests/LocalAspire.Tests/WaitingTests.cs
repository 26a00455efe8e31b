using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Flurrty.LocalAspire.Tests;

/// <summary>Who waits for whom, and what comes of it.</summary>
public sealed class WaitingTests
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
}
