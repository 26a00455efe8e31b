using System.Collections.Concurrent;
using System.Diagnostics;

namespace Flurrty.Infrastructure.Tests;

/// <summary>One server script of eng/native on a data directory and a port; it may be started and ended any number of times.</summary>
internal abstract class NativeServer : IAsyncDisposable
{
    private readonly string _script;
    private readonly ConcurrentQueue<string> _output = new();
    private readonly HashSet<int> _processes = [];
    private readonly string _home;
    private Process? _process;

    protected NativeServer(string script, string? home = null)
    {
        _script = Path.Combine(NativeInfrastructure.Repository.Root, "eng", "native", script);
        _home = home ?? Directory.CreateTempSubdirectory("flurrty-test-").FullName;
        // Other users may pass, so that a server which must not run as root reaches its data.
        File.SetUnixFileMode(_home, File.GetUnixFileMode(_home) | UnixFileMode.OtherExecute | UnixFileMode.GroupExecute);
        Data = Path.Combine(_home, "data");
    }

    internal string Data { get; }

    internal int Port { get; set; } = NativeInfrastructure.NativeServer.FreePort();

    internal string Output => string.Join('\n', _output);

    protected abstract IEnumerable<KeyValuePair<string, string>> Variables { get; }

    /// <summary>Throws as long as the server does not do its work.</summary>
    internal abstract Task UseAsync();

    internal async Task StartAsync()
    {
        Launch();
        await EventuallyAsync(async () =>
        {
            if (_process!.HasExited)
            {
                throw new InvalidOperationException($"{_script} ended with {_process.ExitCode} before it was ready:\n{Output}");
            }

            await UseAsync();
        });
        Remember();
    }

    /// <summary>Starts the server and kills it with everything it started, as soon as the moment has come.</summary>
    internal async Task StartAndKillAsync(Func<bool> moment)
    {
        Launch();
        var start = TimeProvider.System.GetTimestamp();
        while (!moment())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < Deadline.Journey && !_process!.HasExited, $"The moment for the kill did not come:\n{Output}");
            await Task.Delay(5);
        }

        await KillEverythingAsync();
    }

    /// <summary>Starts a server of which an early end is expected, and returns its exit code.</summary>
    internal async Task<int> RunToEndAsync(params IReadOnlyList<string> without)
    {
        Launch(without);
        await ExitAsync();
        using var deadline = new CancellationTokenSource(Deadline.Journey);
        await _process!.WaitForExitAsync(deadline.Token);
        return _process.ExitCode;
    }

    /// <summary>What the orchestrator does: a signal to the script alone. Returns its exit code.</summary>
    internal async Task<int> StopAsync()
    {
        Remember();
        Processes.Signal(_process!.Id, Processes.Terminate);
        return await ExitAsync();
    }

    internal async Task KillScriptAsync()
    {
        Remember();
        Processes.Signal(_process!.Id, Processes.Kill);
        await ExitAsync();
    }

    internal async Task KillEverythingAsync()
    {
        Remember();
        foreach (var id in Processes.StillAlive(_processes))
        {
            Processes.Signal(id, Processes.Kill);
        }

        await ExitAsync();
    }

    /// <summary>Waits until all processes are gone; with a promise, for no longer than that of a machine that has nothing else to do.</summary>
    internal Task NothingIsLeftAsync(TimeSpan? promised = null)
    {
        const string What = "none of the server's processes is alive";
        return promised is { } within
            ? Deadline.PromiseAsync(What, within, LookAsync, static state => state is null)
            : Deadline.WaitAsync(What, LookAsync, static state => state is null);

        Task<string?> LookAsync() => Task.FromResult(
            Processes.StillAlive(_processes) is { Count: > 0 } left ? $"{string.Join(' ', left)} of {string.Join(' ', _processes)}\n{Output}" : null);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await KillEverythingAsync();
            _process.Dispose();
        }

        await NothingIsLeftAsync();
        var link = Directory.Exists(Data) ? (DirectoryInfo?)new DirectoryInfo(Data).ResolveLinkTarget(returnFinalTarget: true) : null;
        Directory.Delete(_home, recursive: true);
        link?.Delete(recursive: true);
    }

    private void Launch(params IReadOnlyList<string> without)
    {
        _process?.Dispose();
        _output.Clear();
        _processes.Clear();
        var start = new ProcessStartInfo(_script) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (var (name, value) in Variables)
        {
            start.Environment[name] = value;
        }

        foreach (var name in without)
        {
            start.Environment.Remove(name);
        }

        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => _output.Enqueue(line.Data ?? string.Empty);
        _process.ErrorDataReceived += (_, line) => _output.Enqueue(line.Data ?? string.Empty);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    private void Remember() => _processes.UnionWith(Processes.TreeOf(_process!.Id));

    /// <summary>Waits for the script alone: WaitForExitAsync would wait for everybody who holds its output as well.</summary>
    private async Task<int> ExitAsync()
    {
        _ = await Deadline.WaitAsync($"{_script} ends", () => Task.FromResult(_process!.HasExited ? null : Output), static state => state is null);
        return _process!.ExitCode;
    }

    private async Task EventuallyAsync(Func<Task> attempt) => await Deadline.WaitAsync(
        $"{_script} is ready",
        Deadline.Journey,
        async () =>
        {
            try
            {
                await attempt();
                return null;
            }
            catch (Exception error) when (_process is { HasExited: false })
            {
                return $"{error}\n{Output}";
            }
        },
        static state => state is null);

    /// <summary>The number of the user whom the data belongs to.</summary>
    internal async Task<string> OwnerAsync()
    {
        using var stat = Process.Start(new ProcessStartInfo("stat", ["-Lc", "%u", Data]) { UseShellExecute = false, RedirectStandardOutput = true })!;
        return (await stat.StandardOutput.ReadToEndAsync()).Trim();
    }
}
