using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using Flurrty.NativeInfrastructure;

namespace Flurrty.TrainingService.Tests.Service;

/// <summary>One of the product's programs as a process of its own, so that it can be killed.</summary>
internal sealed partial class ChildProcess : IAsyncDisposable
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly TaskCompletionSource<Uri> _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);

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

    public bool HasExited => _process.HasExited;

    public static async Task<ChildProcess> StartAsync(string project, IReadOnlyDictionary<string, string> variables)
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
            child._listening.TrySetException(new InvalidOperationException($"{project} ended with code {process.ExitCode}"));
        })
        {
            IsBackground = true,
        }.Start();
        var running = await started.Task;
        try
        {
            running.Address = await running._listening.Task.WaitAsync(StartTimeout);
        }
        catch (Exception problem)
        {
            await running.DisposeAsync();
            throw new InvalidOperationException($"{project} did not start:\n{running.Output}", problem);
        }

        return running;
    }

    /// <summary>SIGKILL: no chance to say anything.</summary>
    public async Task KillAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        await _process.WaitForExitAsync();
    }

    /// <summary>Waits for the end and returns the exit code.</summary>
    public async Task<int> WaitForExitAsync(TimeSpan timeout)
    {
        using var limit = new CancellationTokenSource(timeout);
        await _process.WaitForExitAsync(limit.Token);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _process.Dispose();
    }

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
