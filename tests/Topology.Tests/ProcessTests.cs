using System.Diagnostics;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Flurrty.Topology.Tests;

/// <summary>Who starts, restarts and ends the processes of a topology.</summary>
public sealed class ProcessTests
{
    /// <summary>How long a stop may take.</summary>
    private static readonly TimeSpan Promised = TimeSpan.FromSeconds(10);

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
        await using var apphost = AppHostProcess.Start();
        await apphost.WaitUntilHealthyAsync();
        var running = RunningOf(apphost.Marked);
        Assert.Contains(running, static process => process.CommandLine.Contains("Flurrty.TrainingService", StringComparison.Ordinal));
        Assert.Contains(running, static process => process.CommandLine.Contains("Aspire.Dashboard", StringComparison.Ordinal));
        Assert.Contains(running, static process => process.Name.StartsWith("postgres", StringComparison.Ordinal));

        await apphost.SignalAsync(signal);
        await Deadline.PromiseAsync(
            $"nothing of the topology runs after {signal}",
            TimeSpan.FromSeconds(seconds),
            () => Task.FromResult(Left(running, apphost.Marked)),
            static left => left.Length == 0);
    }

    [Fact]
    public async Task AppHost_ThatIsDisposedWhileItRuns_LeavesNoProcessAndNoFile()
    {
        string files;
        ProcessTree.Entry[] running;
        await using (var apphost = AppHostProcess.Start())
        {
            await apphost.WaitUntilHealthyAsync();
            files = apphost.Files;
            running = RunningOf(apphost.Marked);

            // What it starts has its own place for temporary files, and uses it.
            Assert.NotEmpty(Directory.EnumerateFileSystemEntries(files, "dotnet-diagnostic-*"));
        }

        Assert.Equal("", Left(running, static () => []));
        Assert.False(Directory.Exists(files), files);
    }

    [SkippableFact]
    public async Task AspireStop_OfATopologyThatAspireStarted_LeavesNoProcess()
    {
        Skip.If(Environment.GetEnvironmentVariable("FLURRTY_TESTS") != "full", "It builds the AppHost once more; test.sh --full does.");
        await using var temporary = new TemporaryDirectory("flurrty-aspire-");
        var apphost = Path.Combine("AppHost", "AppHost.csproj");
        IReadOnlyList<ProcessTree.Entry> Marked() => ProcessTree.WithVariable(AppHostProcess.Mark, temporary.Name);
        try
        {
            await AspireAsync(temporary, ["start", "--apphost", apphost, "--isolated", "--", $"--Data:Directory={temporary.Create("data").FullName}", RunningTopology.Native, RunningTopology.InSandbox]);
            await AspireAsync(temporary, ["wait", "gateway", "--apphost", apphost, "--timeout", $"{Deadline.Journey.TotalSeconds}"]);
            var running = RunningOf(Marked);
            Assert.Contains(running, static process => process.CommandLine.Contains("Flurrty.Gateway", StringComparison.Ordinal));
            Assert.Contains(running, static process => process.Name.StartsWith("postgres", StringComparison.Ordinal));

            await AspireAsync(temporary, ["stop", "--apphost", apphost]);
            await Deadline.PromiseAsync("nothing of the topology runs after aspire stop", Promised, () => Task.FromResult(Left(running, Marked)), static left => left.Length == 0);
        }
        finally
        {
            await ProcessTree.EndAsync(Marked);
        }
    }

    [SkippableFact]
    public async Task AppHost_StartedAndStoppedTwentyTimes_LeavesNoProcess()
    {
        Skip.If(Environment.GetEnvironmentVariable("FLURRTY_TESTS") != "full", "Twenty starts take minutes; test.sh --full makes them.");
        for (var i = 0; i < 20; i++)
        {
            await using var apphost = AppHostProcess.Start();
            // At another moment of the start each time.
            await Deadline.WaitAsync($"start {i} has made some processes", Deadline.Journey, () => Task.FromResult(apphost.Marked().Count > 3 + i));
            var running = RunningOf(apphost.Marked);
            await apphost.SignalAsync(i % 2 == 0 ? "INT" : "TERM");
            await Deadline.PromiseAsync(
                $"nothing of the topology runs after stop {i}", Promised, () => Task.FromResult(Left(running, apphost.Marked)), static left => left.Length == 0);
        }
    }

    private sealed class Gate : IHealthCheck
    {
        private volatile bool _isOpen;

        public void Open() => _isOpen = true;

        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
            Task.FromResult(_isOpen ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("not yet"));
    }

    // The CLI as the README says, from the repository, whose manifest of tools names it.
    private static async Task AspireAsync(TemporaryDirectory temporary, string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", ["aspire", .. arguments])
        {
            WorkingDirectory = RunningTopology.Repository,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        AppHostProcess.UseIn(start, temporary);

        // aspire start builds: the compiler's server is the SDK's, waits for ten minutes for its next build and would be taken for a leftover.
        start.Environment["UseSharedCompilation"] = "false";
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(Deadline.Journey);
        Assert.True(process.ExitCode == 0, $"aspire {string.Join(' ', arguments)}: {process.ExitCode} {await output} {await errors}");
    }

    private static ProcessTree.Entry[] RunningOf(Func<IReadOnlyList<ProcessTree.Entry>> find)
    {
        var marked = find();
        return [.. marked.Concat(marked.SelectMany(static process => ProcessTree.Descendants(process.Pid))).DistinctBy(static process => process.Pid)];
    }

    private static string Left(ProcessTree.Entry[] before, Func<IReadOnlyList<ProcessTree.Entry>> find) =>
        string.Join('\n', ProcessTree.All().Where(process => before.Any(known => known.Pid == process.Pid && known.Name == process.Name))
            .Concat(find())
            .DistinctBy(static process => process.Pid)
            .Select(static process => $"{process.Pid} {process.Name} {process.CommandLine}"));
}
