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
        await UseEngineAsync();
        var containersBefore = await NamesAsync("ps", "--all", "--format", "{{.Names}}");
        var volumesBefore = await NamesAsync("volume", "ls", "--format", "{{.Name}}");
        var data = Directory.CreateTempSubdirectory("flurrty-containers-");
        File.SetUnixFileMode(data.FullName, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        try
        {
            string id;
            await using (var topology = await RunningTopology.StartAsync(keptData: data, args: "--Infrastructure=containers"))
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

            await using (var again = await RunningTopology.StartAsync(keptData: data, args: "--Infrastructure=containers"))
            {
                await ReadAsync(again, id);
                _ = await TrainAsync(again);
            }

            // Nothing of ours is left in the engine but the data.
            Assert.Empty((await NamesAsync("ps", "--all", "--format", "{{.Names}}")).Except(containersBefore));
            Assert.Equal(Servers.Length, (await NamesAsync("volume", "ls", "--format", "{{.Name}}")).Except(volumesBefore).Count());
        }
        finally
        {
            foreach (var volume in (await NamesAsync("volume", "ls", "--format", "{{.Name}}")).Except(volumesBefore))
            {
                await RunAsync("podman", "volume", "rm", "--force", volume);
            }

            data.Delete(recursive: true);
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

    // What eng/images says goes into this process's environment, which the orchestrator inherits.
    private static async Task UseEngineAsync()
    {
        var images = Path.Combine(RunningTopology.Repository, "eng", "images");
        await RunAsync(Path.Combine(images, "install.sh"));
        await RunAsync(Path.Combine(images, "build.sh"));
        foreach (var line in (await RunAsync(Path.Combine(images, "environment.sh"), "--stand-ins")).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = line.Split('=', 2);
            Environment.SetEnvironmentVariable(parts[0], parts[1]);
        }
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
