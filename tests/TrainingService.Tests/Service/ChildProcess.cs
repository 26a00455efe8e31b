using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using Flurrty.NativeInfrastructure;

namespace Flurrty.TrainingService.Tests.Service;

/// <summary>One of the product's programs as a process of its own, so that it can be killed.</summary>
internal sealed partial class ChildProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly TaskCompletionSource<Uri> _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private readonly TaskCompletionSource<int> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ChildProcess(Process process) => _process = process;

    public Uri Address { get; private set; } = null!;

    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    public static async Task<ChildProcess> StartAsync(string project, IReadOnlyDictionary<string, string> variables)
    {
        var running = await LaunchAsync(project, variables);
        try
        {
            running.Address = await running._listening.Task.WaitAsync(Deadline.Journey);
        }
        catch (Exception problem)
        {
            await running.DisposeAsync();
            throw new InvalidOperationException($"{project} did not start:\n{running.Output}", problem);
        }

        return running;
    }

    /// <summary>Starts a program without waiting for it to listen.</summary>
    public static async Task<ChildProcess> LaunchAsync(string project, IReadOnlyDictionary<string, string> variables)
    {
        var assembly = Path.Combine(Repository.Root, project, "bin", Configuration, "net10.0", $"Flurrty.{project}.dll");
        var start = new ProcessStartInfo("setpriv")
        {
            // A killed test run takes its children along.
            ArgumentList = { "--pdeathsig", "KILL", "dotnet", assembly },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var (name, value) in variables)
        {
            start.Environment[name] = value;
        }

        start.Environment.TryAdd("ASPNETCORE_URLS", "http://127.0.0.1:0");

        // The death signal belongs to the thread that starts the process, so that thread stays.
        var started = new TaskCompletionSource<ChildProcess>(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            var process = Process.Start(start)!;
            var child = new ChildProcess(process);
            process.OutputDataReceived += (_, line) => child.Note(line.Data);
            process.ErrorDataReceived += (_, line) => child.Note(line.Data);
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            started.SetResult(child);
            process.WaitForExit();
            var code = process.ExitCode;
            child._listening.TrySetException(new InvalidOperationException($"{project} ended with code {code}"));
            child._exited.SetResult(code);
        })
        {
            IsBackground = true,
        }.Start();
        return await started.Task;
    }

    /// <summary>SIGKILL: no chance to say anything.</summary>
    public async Task KillAsync()
    {
        if (!_exited.Task.IsCompleted)
        {
            Signal(9);
        }

        await _exited.Task;
    }

    /// <summary>SIGSTOP: it does nothing, but all that it holds stays held.</summary>
    public void Pause() => Signal(19);

    /// <summary>SIGCONT.</summary>
    public void Resume() => Signal(18);

    /// <summary>SIGTERM, as an orchestrator stops it.</summary>
    public async Task<int> StopAsync(TimeSpan timeout)
    {
        Signal(15);
        return await _exited.Task.WaitAsync(timeout);
    }

    /// <summary>Waits for the end and returns the exit code.</summary>
    public Task<int> WaitForExitAsync(TimeSpan timeout) => _exited.Task.WaitAsync(timeout);

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _process.Dispose();
    }

    private void Signal(int signal)
    {
        if (Kill(_process.Id, signal) != 0)
        {
            throw new InvalidOperationException($"Signal {signal} could not be sent.");
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int processId, int signal);

    private static string Configuration =>
#if DEBUG
        "Debug";
#else
        "Release";
#endif

    private void Note(string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (_output)
        {
            _output.AppendLine(line);
        }

        if (Listening().Match(line) is { Success: true } match)
        {
            _listening.TrySetResult(new Uri(match.Groups[1].Value));
        }
    }

    [GeneratedRegex(@"Now listening on: (http://127\.0\.0\.1:\d+)")]
    private static partial Regex Listening();
}
