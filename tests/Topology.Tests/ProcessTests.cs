using System.Diagnostics;
using System.Net;

namespace Flurrty.Topology.Tests;

/// <summary>Who starts, restarts and ends the processes of a topology.</summary>
public sealed class ProcessTests
{
    private const string Mark = "DOTNET_FLURRTY_TEST_MARK";

    private static readonly string[] Services = ["gateway", "uploads", "training", "registry", "sandbox", "postgres", "rabbitmq", "s3"];

    [Fact]
    public async Task Service_OfATopology_DescendsFromDcp()
    {
        await using var topology = await RunningTopology.StartAsync();
        foreach (var service in Services)
        {
            var pid = Assert.Single(topology.PidsOf(service));
            Assert.Contains(ProcessTree.Ancestors(pid), static ancestor => ancestor.Name == "dcp");
        }
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

    [Fact]
    public async Task Restart_OfAService_ChangesItsPidAndKeepsItsPort()
    {
        await using var topology = await RunningTopology.StartAsync();
        var before = Assert.Single(topology.PidsOf("registry"));
        var endpoint = topology.App.GetEndpoint("registry", "http");
        await topology.CommandAsync("registry", "resource-restart");
        await topology.Notifications.WaitForResourceHealthyAsync("registry").WaitAsync(Deadline.Journey);
        var after = Assert.Single(topology.PidsOf("registry"));
        Assert.NotEqual(before, after);
        Assert.Equal(endpoint, topology.App.GetEndpoint("registry", "http"));
        using var response = await topology.Client.GetAsync(new Uri("/api/identities", UriKind.Relative));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Theory]
    [InlineData("KILL", 15)]
    [InlineData("INT", 10)]
    [InlineData("TERM", 10)]
    public async Task AppHost_ThatEnds_LeavesNoProcess(string signal, int seconds)
    {
        var data = Directory.CreateTempSubdirectory("flurrty-apphost-");
        System.IO.File.SetUnixFileMode(data.FullName, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        var start = new ProcessStartInfo("env", ["--default-signal=INT", "dotnet", AppHostAssembly(), $"--Data:Directory={data.FullName}", RunningTopology.InSandbox])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            // Whatever the AppHost starts inherits the mark, and nothing else has it.
            Environment = { ["DOTNET_ENVIRONMENT"] = "Development", [Mark] = data.Name },
        };

        // A shell in the background hands on an ignored SIGINT; env takes it back and becomes the AppHost.
        using var apphost = Process.Start(start)!;
        _ = apphost.StandardOutput.ReadToEndAsync();
        _ = apphost.StandardError.ReadToEndAsync();
        try
        {
            var file = Path.Combine(data.FullName, "topology.json");
            await Deadline.WaitAsync("the topology is healthy", Deadline.Journey, () => Task.FromResult(System.IO.File.Exists(file)));
            var marked = ProcessTree.WithVariable(Mark, data.Name);
            var running = marked.Concat(marked.SelectMany(static process => ProcessTree.Descendants(process.Pid))).DistinctBy(static process => process.Pid).ToArray();
            Assert.Contains(running, static process => process.CommandLine.Contains("Flurrty.TrainingService", StringComparison.Ordinal));
            Assert.Contains(running, static process => process.Name.StartsWith("postgres", StringComparison.Ordinal));

            using (var kill = Process.Start("kill", [$"-{signal}", $"{apphost.Id}"]))
            {
                await kill.WaitForExitAsync();
            }

            await Deadline.PromiseAsync(
                $"nothing of the topology runs after {signal}",
                TimeSpan.FromSeconds(seconds),
                () => Task.FromResult(string.Join('\n', Left(running, data).Select(static process => $"{process.Pid} {process.Name} {process.CommandLine}"))),
                static left => left.Length == 0);
            data.Delete(recursive: true);
        }
        finally
        {
            // A test that fails leaves nothing behind either.
            if (!apphost.HasExited)
            {
                apphost.Kill();
            }
        }
    }

    private static string AppHostAssembly() => Path.Combine(AppContext.BaseDirectory, "Flurrty.AppHost.dll");

    private static IEnumerable<ProcessTree.Entry> Left(ProcessTree.Entry[] before, DirectoryInfo data) =>
        ProcessTree.All().Where(process => before.Any(known => known.Pid == process.Pid && known.Name == process.Name))
            .Concat(ProcessTree.WithVariable(Mark, data.Name))
            .DistinctBy(static process => process.Pid);
}
