using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Flurrty.Topology.Tests;

/// <summary>The AppHost as a process of its own, with data of its own, as <c>run.sh</c> starts it. Disposing it leaves no process and no file.</summary>
internal sealed class AppHostProcess : IAsyncDisposable
{
    /// <summary>Whatever the AppHost starts inherits this variable, and nothing else has its value.</summary>
    public const string Mark = "DOTNET_FLURRTY_TEST_MARK";

    private readonly DirectoryInfo _data;
    private readonly TemporaryDirectory _temporary;
    private readonly Process _process;

    private AppHostProcess(DirectoryInfo data, TemporaryDirectory temporary, Process process)
    {
        _data = data;
        _temporary = temporary;
        _process = process;
        Output = process.StandardOutput.ReadToEndAsync();
        Errors = process.StandardError.ReadToEndAsync();
    }

    public int Id => _process.Id;

    public int ExitCode => _process.ExitCode;

    public Task<string> Output { get; }

    public Task<string> Errors { get; }

    public string TopologyFile => Path.Combine(_data.FullName, "topology.json");

    /// <summary>Everything that it and what it starts writes, unless the data was given.</summary>
    public string Files => _temporary.Path;

    /// <summary>Starts it with the Sandbox for every provider.</summary>
    public static AppHostProcess Start(params string[] arguments) => Start([RunningTopology.InSandbox, .. arguments], [], data: null);

    /// <summary>Starts it with the Sandbox for every provider, over data that is kept.</summary>
    public static AppHostProcess StartOver(DirectoryInfo data, params string[] arguments) => Start([RunningTopology.InSandbox, .. arguments], [], data);

    /// <summary>Starts it with the modes that the arguments say and no others: the shell of whoever tests says none.</summary>
    public static AppHostProcess StartWithoutMode(string[] arguments, params (string Name, string Value)[] variables) => Start(arguments, variables, data: null);

    public async Task WaitUntilHealthyAsync()
    {
        await Deadline.WaitAsync("the topology is healthy", Deadline.Journey, () => Task.FromResult(File.Exists(TopologyFile) || _process.HasExited));
        Assert.True(File.Exists(TopologyFile), _process.HasExited ? $"The AppHost ended: {await Errors}" : "");
    }

    /// <summary>The processes that carry the mark; the AppHost is one.</summary>
    public IReadOnlyList<ProcessTree.Entry> Marked() => ProcessTree.WithVariable(Mark, _temporary.Name);

    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{Id}"]);
        await kill.WaitForExitAsync();
    }

    public Task WaitForExitAsync() => _process.WaitForExitAsync().WaitAsync(Deadline.Journey);

    public async Task StopAsync()
    {
        await SignalAsync("TERM");
        await WaitForExitAsync();
    }

    // A test that fails leaves nothing behind either.
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            await SignalAsync("TERM");
            await _process.WaitForExitAsync().WaitAsync(Deadline.Step).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await Deadline.WaitAsync("nothing of it runs", Deadline.Step, () => Task.FromResult(Marked().Count == 0)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await ProcessTree.EndAsync(Marked);
        _process.Dispose();
        await _temporary.DisposeAsync();
    }

    private static AppHostProcess Start(string[] arguments, (string Name, string Value)[] variables, DirectoryInfo? data)
    {
        var temporary = new TemporaryDirectory("flurrty-apphost-");
        data ??= temporary.Create("data");

        // A shell in the background hands on an ignored SIGINT; env takes it back and becomes the AppHost.
        var start = new ProcessStartInfo(
            "env", ["--default-signal=INT", "dotnet", AppHostAssembly(), $"--Data:Directory={data.FullName}", RunningTopology.Native, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        UseIn(start, temporary);
        start.Environment["DOTNET_ENVIRONMENT"] = "Development";
        start.Environment["ASPIRE_ALLOW_UNSECURED_TRANSPORT"] = "true";
        start.Environment["ASPNETCORE_URLS"] = FreeUrl();
        start.Environment["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = FreeUrl();
        start.Environment["ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL"] = FreeUrl();
        foreach (var (name, value) in variables)
        {
            start.Environment[name] = value;
        }

        return new AppHostProcess(data, temporary, Process.Start(start)!);
    }

    /// <summary>Marks what the process starts, lets all of it write below the directory, and keeps the modes and the secrets of whoever tests from it.</summary>
    internal static void UseIn(ProcessStartInfo start, TemporaryDirectory temporary)
    {
        foreach (var name in start.Environment.Keys.Where(static name => name.StartsWith("Providers__", StringComparison.OrdinalIgnoreCase)).ToArray())
        {
            start.Environment.Remove(name);
        }

        start.Environment[Mark] = temporary.Name;
        start.Environment["TMPDIR"] = temporary.Path;

        // Where .NET looks for user secrets first; Aspire writes there too.
        start.Environment["APPDATA"] = temporary.Path;
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
