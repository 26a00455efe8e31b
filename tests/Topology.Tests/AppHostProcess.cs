using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Flurrty.Topology.Tests;

/// <summary>The AppHost as a process of its own, with data of its own, as <c>run.sh</c> starts it.</summary>
internal sealed class AppHostProcess : IDisposable
{
    /// <summary>Whatever the AppHost starts inherits this variable, and nothing else has its value.</summary>
    public const string Mark = "DOTNET_FLURRTY_TEST_MARK";

    private readonly DirectoryInfo _data;
    private readonly Process _process;

    private AppHostProcess(DirectoryInfo data, Process process)
    {
        _data = data;
        _process = process;
        Output = process.StandardOutput.ReadToEndAsync();
        Errors = process.StandardError.ReadToEndAsync();
    }

    public int Id => _process.Id;

    public int ExitCode => _process.ExitCode;

    public Task<string> Output { get; }

    public Task<string> Errors { get; }

    public string TopologyFile => Path.Combine(_data.FullName, "topology.json");

    public static AppHostProcess Start(string[] arguments, params (string Name, string Value)[] variables)
    {
        var data = Directory.CreateTempSubdirectory("flurrty-apphost-");
        // PostgreSQL runs as a user of its own when started by root.
        File.SetUnixFileMode(data.FullName, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);

        // A shell in the background hands on an ignored SIGINT; env takes it back and becomes the AppHost.
        var start = new ProcessStartInfo(
            "env", ["--default-signal=INT", "dotnet", AppHostAssembly(), $"--Data:Directory={data.FullName}", .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            Environment =
            {
                ["DOTNET_ENVIRONMENT"] = "Development",
                ["ASPIRE_ALLOW_UNSECURED_TRANSPORT"] = "true",
                ["ASPNETCORE_URLS"] = FreeUrl(),
                ["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = FreeUrl(),
                ["ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL"] = FreeUrl(),
                [Mark] = data.Name,
            },
        };
        foreach (var (name, value) in variables)
        {
            start.Environment[name] = value;
        }

        return new AppHostProcess(data, Process.Start(start)!);
    }

    public async Task WaitUntilHealthyAsync()
    {
        await Deadline.WaitAsync("the topology is healthy", Deadline.Journey, () => Task.FromResult(File.Exists(TopologyFile) || _process.HasExited));
        Assert.True(File.Exists(TopologyFile), _process.HasExited ? $"The AppHost ended: {await Errors}" : "");
    }

    /// <summary>The processes that carry the mark; the AppHost is one.</summary>
    public IReadOnlyList<ProcessTree.Entry> Marked() => ProcessTree.WithVariable(Mark, _data.Name);

    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{Id}"]);
        await kill.WaitForExitAsync();
    }

    public Task WaitForExitAsync() => _process.WaitForExitAsync().WaitAsync(Deadline.Journey);

    /// <summary>Removes the data. To be called when nothing runs any more.</summary>
    public void DeleteData() => _data.Delete(recursive: true);

    public void Dispose()
    {
        // A test that fails leaves nothing behind either.
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    // Where it was built: beside the tests lie assemblies of another framework.
    private static string AppHostAssembly()
    {
        var framework = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        return Path.Combine(RunningTopology.Repository, "AppHost", "bin", framework.Parent!.Name, framework.Name, "Flurrty.AppHost.dll");
    }

    private static string FreeUrl()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return $"http://{listener.LocalEndpoint}";
    }
}
