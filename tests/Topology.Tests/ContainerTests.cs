using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Flurrty.Topology.Tests;

/// <summary>The infrastructure in containers: what is killed comes back with its data, and so does all of it after a restart.</summary>
public sealed class ContainerTests
{
    private static readonly string[] Servers = ["postgres", "rabbitmq", "s3"];

    [SkippableFact]
    public async Task Containers_KilledAndRestarted_KeepWhatWasStored()
    {
        Skip.If(Environment.GetEnvironmentVariable("FLURRTY_TESTS") != "full", "Building the images takes minutes; test.sh --full does.");
        string[] args = ["--Infrastructure=containers", .. await UseEngineAsync()];
        var containersBefore = await ContainersAsync();
        var volumesBefore = await VolumesAsync();
        var data = Directory.CreateTempSubdirectory("flurrty-containers-");
        File.SetUnixFileMode(data.FullName, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        try
        {
            string id;
            await using (var topology = await RunningTopology.StartAsync(keptData: data, args: args))
            {
                // Clients of a server that is killed say so.
                topology.ExpectErrors(".*");
                id = await TrainAsync(topology);
                foreach (var server in Servers)
                {
                    var container = (string)topology.States.Single(state => state.Resource.Name == server).Snapshot.Properties.Single(static property => property.Name == "container.id").Value!;
                    await RunAsync("podman", "kill", "--signal", "KILL", container);
                    await Deadline.WaitAsync(
                        $"{server} is seen to have ended", Deadline.Journey, () => Task.FromResult(topology.StateOf(server)), static state => state != KnownResourceStates.Running);
                    await topology.CommandAsync(server, "resource-start");
                    // Its end is still told for a moment after the command to start it.
                    await topology.Notifications.WaitForResourceHealthyAsync(server, WaitBehavior.WaitOnResourceUnavailable).WaitAsync(Deadline.Journey);
                }

                await ReadAsync(topology, id);
                _ = await TrainAsync(topology);
            }

            await using (var again = await RunningTopology.StartAsync(keptData: data, args: args))
            {
                await ReadAsync(again, id);
                _ = await TrainAsync(again);
            }

            // Nothing of ours is left in the engine but the data.
            Assert.Empty((await ContainersAsync()).Except(containersBefore));
            Assert.Equal(Servers.Length, (await VolumesAsync()).Except(volumesBefore).Count());
        }
        finally
        {
            await RemoveVolumesAsync(volumesBefore);
            data.Delete(recursive: true);
        }
    }

    [SkippableFact]
    public async Task AppHost_Killed_LeavesNoContainer()
    {
        Skip.If(Environment.GetEnvironmentVariable("FLURRTY_TESTS") != "full", "Building the images takes minutes; test.sh --full does.");
        var images = await UseEngineAsync();
        var containersBefore = await ContainersAsync();
        var volumesBefore = await VolumesAsync();
        try
        {
            await using var apphost = AppHostProcess.Start(["--Infrastructure=containers", .. images]);
            await apphost.WaitUntilHealthyAsync();
            Assert.Equal(Servers.Length, (await ContainersAsync()).Except(containersBefore).Count());

            await apphost.SignalAsync("KILL");
            await Deadline.PromiseAsync(
                "no container of the topology is left after KILL",
                TimeSpan.FromSeconds(15),
                async () => string.Join(' ', (await ContainersAsync()).Except(containersBefore)),
                static left => left.Length == 0);
        }
        finally
        {
            foreach (var container in (await ContainersAsync()).Except(containersBefore))
            {
                await RunAsync("podman", "rm", "--force", container);
            }

            await RemoveVolumesAsync(volumesBefore);
        }
    }

    private static Task<string[]> ContainersAsync() => NamesAsync("ps", "--all", "--format", "{{.Names}}");

    private static Task<string[]> VolumesAsync() => NamesAsync("volume", "ls", "--format", "{{.Name}}");

    private static async Task RemoveVolumesAsync(string[] kept)
    {
        foreach (var volume in (await VolumesAsync()).Except(kept))
        {
            await RunAsync("podman", "volume", "rm", "--force", volume);
        }
    }

    private static async Task<string[]> NamesAsync(params string[] command) =>
        (await RunAsync("podman", command)).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static async Task<string> TrainAsync(RunningTopology topology)
    {
        var set = await topology.UploadAsync(topology.Client, photos: 3);
        var id = await topology.RequestIdentityAsync(topology.Client, set);
        var identity = await topology.WaitForEndAsync(topology.Client, id, Deadline.Journey);
        Assert.True((string?)identity["status"] == "ready", identity.ToJsonString());
        return id;
    }

    private static async Task ReadAsync(RunningTopology topology, string id)
    {
        var identity = await Deadline.WaitAsync<JsonObject>(
            "the identity is read", Deadline.Journey, () => topology.GetAsync(topology.Client, $"/api/identities/{id}"), static state => (string?)state["status"] == "ready");
        var model = await Deadline.WaitAsync("the model is read", Deadline.Journey, async () =>
        {
            using var answer = await topology.Client.GetAsync(new Uri($"/api/identities/{id}/model", UriKind.Relative));
            return answer.IsSuccessStatusCode ? (await answer.Content.ReadAsByteArrayAsync()).LongLength : -1;
        }, static bytes => bytes > 0);
        Assert.Equal((long)identity["model"]!["bytes"]!, model);
    }

    // What eng/images says of the engine goes into this process's environment, which the orchestrator inherits. The images are arguments: an
    // AppHost in this process takes its configuration out of the environment, and the next one would not find them.
    private static async Task<IReadOnlyList<string>> UseEngineAsync()
    {
        const string Images = "Images__";
        var arguments = new List<string>();
        var images = Path.Combine(RunningTopology.Repository, "eng", "images");
        await RunAsync(Path.Combine(images, "install.sh"));
        await RunAsync(Path.Combine(images, "build.sh"));
        foreach (var line in (await RunAsync(Path.Combine(images, "environment.sh"), "--stand-ins")).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = line.Split('=', 2);
            if (parts[0].StartsWith(Images, StringComparison.Ordinal))
            {
                arguments.Add($"--{parts[0].Replace("__", ":", StringComparison.Ordinal)}={parts[1]}");
            }
            else
            {
                Environment.SetEnvironmentVariable(parts[0], parts[1]);
            }
        }

        Assert.Equal(Servers.Length, arguments.Count);
        return arguments;
    }

    private static async Task<string> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {process.ExitCode} {await errors}");
        return await output;
    }
}
