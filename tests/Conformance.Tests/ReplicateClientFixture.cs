using System.Diagnostics;
using System.Reflection;
using System.Text.Json.Nodes;
using Flurrty.Sandbox.Tests.Support;

namespace Flurrty.Conformance.Tests;

/// <summary>The installed clients, a sandbox process and some photos.</summary>
public sealed class ReplicateClientFixture : IAsyncLifetime
{
    private static readonly string Clients = typeof(ReplicateClientFixture).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(metadata => metadata.Key == "ClientsDirectory").Value!;
    private readonly TempDirectory _data = new();
    private SandboxProcess? _sandbox;

    internal ReplicateDriver Replicate => _sandbox!.Replicate;

    public async Task InitializeAsync()
    {
        await RunAsync("bash", [Path.Combine(Clients, "install.sh")], []);
        await File.WriteAllBytesAsync(Path.Combine(_data.FullName, "photos.zip"), Zips.Photos(5));
        _sandbox = await SandboxProcess.StartAsync(Path.Combine(_data.FullName, "sandbox"), "--Sandbox:SecondsPerTraining=1.5");
    }

    public async Task DisposeAsync()
    {
        if (_sandbox is not null)
        {
            await _sandbox.DisposeAsync();
        }

        _data.Dispose();
    }

    /// <summary>Runs a script that drives the client; what it prints.</summary>
    public async Task<JsonNode> RunAsync(string script)
    {
        string output = await RunAsync("node", [Path.Combine(Clients, "replicate", script)], new()
        {
            ["REPLICATE_API_TOKEN"] = ReplicateDriver.Token,
            ["REPLICATE_BASE_URL"] = $"{Replicate.Origin}/v1",
            ["PHOTOS_ZIP"] = Path.Combine(_data.FullName, "photos.zip"),
        });
        return JsonNode.Parse(output)!;
    }

    private static async Task<string> RunAsync(string program, string[] arguments, Dictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        using var limit = new CancellationTokenSource(Deadline.Journey);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException error)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{program} {arguments[0]} did not end. It wrote: {await output}{await errors}", error);
        }

        Assert.True(process.ExitCode == 0, $"{program} {arguments[0]} ended with {process.ExitCode}: {await errors}{await output}");
        return await output;
    }
}
