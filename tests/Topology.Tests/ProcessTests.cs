using System.Diagnostics;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Flurrty.Topology.Tests;

/// <summary>Who starts, restarts and ends the processes of a topology.</summary>
public sealed class ProcessTests
{
    [Fact]
    public async Task WaitFor_AnUnhealthyResource_HoldsUntilItIsHealthy()
    {
        var gate = new Gate();
        await using var topology = await RunningTopology.StartAsync(
            builder =>
            {
                builder.Services.AddHealthChecks().AddCheck("gate", gate);
                builder.CreateResourceBuilder(builder.Resources.Single(static resource => resource.Name == "sandbox")).WithHealthCheck("gate");
                return Task.CompletedTask;
            },
            whileStarting: async topology =>
            {
                await Deadline.WaitAsync(
                    "the registry, which does not wait for the Sandbox, is healthy and training waits", Deadline.Journey,
                    () => Task.FromResult($"{topology.StateOf("registry")} {topology.StateOf("training")}"),
                    static seen => seen == $"{KnownResourceStates.Running} {KnownResourceStates.Waiting}");
                Assert.Empty(topology.PidsOf("training"));
                gate.Open();
            });
        Assert.Single(topology.PidsOf("training"));
    }

    [Fact]
    public async Task Registry_WithTwoReplicas_IsOnePortOverTwoProcesses()
    {
        await using var topology = await RunningTopology.StartAsync(builder =>
        {
            builder.CreateResourceBuilder((ProjectResource)builder.Resources.Single(static resource => resource.Name == "registry")).WithReplicas(2);
            return Task.CompletedTask;
        });
        var pids = await Deadline.WaitAsync(
            "two replicas run", Deadline.Journey, () => Task.FromResult(topology.PidsOf("registry")), static pids => pids.Distinct().Count() == 2);
        Assert.Equal(2, pids.Count);
        var endpoint = topology.App.GetEndpoint("registry", "http");

        // One of the two is killed: the port still answers, from the other.
        using (var first = Process.GetProcessById(pids[0]))
        {
            first.Kill();
        }

        using var client = new HttpClient { BaseAddress = endpoint };
        await Deadline.WaitAsync("the other replica answers", Deadline.Step, async () =>
        {
            try
            {
                using var response = await client.GetAsync(new Uri("/alive", UriKind.Relative));
                return response.StatusCode == HttpStatusCode.OK;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        });
        topology.ExpectErrors("registry");
    }

    [Theory]
    [InlineData("KILL", 15)]
    [InlineData("INT", 10)]
    [InlineData("TERM", 10)]
    public async Task AppHost_ThatEnds_LeavesNoProcess(string signal, int seconds)
    {
        using var apphost = AppHostProcess.Start([RunningTopology.InSandbox]);
        await apphost.WaitUntilHealthyAsync();
        var running = RunningOf(apphost);
        Assert.Contains(running, static process => process.CommandLine.Contains("Flurrty.TrainingService", StringComparison.Ordinal));
        Assert.Contains(running, static process => process.CommandLine.Contains("Aspire.Dashboard", StringComparison.Ordinal));
        Assert.Contains(running, static process => process.Name.StartsWith("postgres", StringComparison.Ordinal));

        await apphost.SignalAsync(signal);
        await Deadline.PromiseAsync(
            $"nothing of the topology runs after {signal}",
            TimeSpan.FromSeconds(seconds),
            () => Task.FromResult(Left(running, apphost)),
            static left => left.Length == 0);
        apphost.DeleteData();
    }

    [SkippableFact]
    public async Task AppHost_StartedAndStoppedTwentyTimes_LeavesNoProcess()
    {
        Skip.If(Environment.GetEnvironmentVariable("FLURRTY_TESTS") != "full", "Twenty starts take minutes; test.sh --full makes them.");
        for (var i = 0; i < 20; i++)
        {
            using var apphost = AppHostProcess.Start([RunningTopology.InSandbox]);
            // At another moment of the start each time.
            await Deadline.WaitAsync($"start {i} has made some processes", Deadline.Journey, () => Task.FromResult(apphost.Marked().Count > 3 + i));
            var running = RunningOf(apphost);
            await apphost.SignalAsync(i % 2 == 0 ? "INT" : "TERM");
            await Deadline.WaitAsync(
                $"nothing of the topology runs after stop {i}", Deadline.Step, () => Task.FromResult(Left(running, apphost)), static left => left.Length == 0);
            apphost.DeleteData();
        }
    }

    private sealed class Gate : IHealthCheck
    {
        private volatile bool _isOpen;

        public void Open() => _isOpen = true;

        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
            Task.FromResult(_isOpen ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("not yet"));
    }

    private static ProcessTree.Entry[] RunningOf(AppHostProcess apphost)
    {
        var marked = apphost.Marked();
        return [.. marked.Concat(marked.SelectMany(static process => ProcessTree.Descendants(process.Pid))).DistinctBy(static process => process.Pid)];
    }

    private static string Left(ProcessTree.Entry[] before, AppHostProcess apphost) =>
        string.Join('\n', ProcessTree.All().Where(process => before.Any(known => known.Pid == process.Pid && known.Name == process.Name))
            .Concat(apphost.Marked())
            .DistinctBy(static process => process.Pid)
            .Select(static process => $"{process.Pid} {process.Name} {process.CommandLine}"));
}
