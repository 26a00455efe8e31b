using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Flurrty.LocalAspire.Tests;

/// <summary>However an AppHost ends, nothing that it started is left.</summary>
public sealed class EndOfAppHostTests : IDisposable
{
    private const int Interrupt = 2;
    private const int Kill = 9;
    private const int Terminate = 15;
    private const string Tag = "DOTNET_LOCALASPIRE_TEST_TAG";
    private readonly string _tag = Guid.NewGuid().ToString("N");
    private readonly ConcurrentQueue<string> _output = new();
    private readonly List<Process> _started = [];

    public void Dispose()
    {
        foreach (var process in _started)
        {
            process.Kill();
            process.Dispose();
        }
    }

    [Theory]
    [InlineData(Kill, 15)]
    [InlineData(Terminate, 10)]
    [InlineData(Interrupt, 10)]
    public async Task Signal_ToARunningAppHost_LeavesNoProcess(int signal, int seconds)
    {
        var appHost = Start();
        await WaitForAllAsync();
        SendSignal(appHost.Id, signal);
        await Deadline.UntilAsync(() => Task.FromResult(string.Join("; ", Tagged())), left => left.Length == 0, "no process", seconds);
        await appHost.WaitForExitAsync(Deadline.In(10));
        if (signal != Kill)
        {
            Assert.Equal(0, appHost.ExitCode);
        }
    }

    [Fact]
    public async Task Signal_WhileResourcesStillStart_EndsTheAppHostCleanly()
    {
        var appHost = Start("--Fixture:Hold=true");
        await Deadline.UntilAsync(() => Task.FromResult(Tagged().Count), count => count >= 3, "processes");
        SendSignal(appHost.Id, Terminate);
        await appHost.WaitForExitAsync(Deadline.In(15));
        Assert.Equal(0, appHost.ExitCode);
        await Deadline.UntilAsync(() => Task.FromResult(string.Join("; ", Tagged())), left => left.Length == 0, "no process", 10);
    }

    private Process Start(params string[] args)
    {
        // A shell in the background hands on an ignored SIGINT; env takes it back and becomes the AppHost.
        var start = new ProcessStartInfo("env")
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,

            // Whatever the AppHost starts inherits this mark, and nothing else has it.
            Environment = { [Tag] = _tag },
        };
        start.ArgumentList.Add("--default-signal=INT");
        start.ArgumentList.Add("dotnet");
        start.ArgumentList.Add(typeof(Projects.Fixture_AppHost).Assembly.Location);
        foreach (var arg in (string[])["--DcpPublisher:RandomizePorts=true", $"--Fixture:EndWith={Environment.ProcessId}", .. args])
        {
            start.ArgumentList.Add(arg);
        }

        var process = Process.Start(start)!;
        _started.Add(process);
        process.OutputDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
        process.ErrorDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private Task<string> WaitForAllAsync() => Deadline.UntilAsync(
        () => Task.FromResult($"{string.Join("; ", Tagged())}\n{string.Join('\n', _output)}"),
        seen => seen.Contains("aspire-managed", StringComparison.Ordinal)
            && seen.Contains("http.server", StringComparison.Ordinal)
            && Count(seen, "Flurrty.Fixture.Web.dll") == 3,
        "dashboard, file server and three web processes",
        60);

    private static int Count(string text, string part) => text.Split(part).Length - 1;

    /// <summary>The command lines of all processes with the mark, but for those that are only waiting to be reaped.</summary>
    private List<string> Tagged()
    {
        List<string> found = [];
        foreach (var directory in Directory.EnumerateDirectories("/proc").Where(d => int.TryParse(Path.GetFileName(d), out _)))
        {
            try
            {
                if (File.ReadAllText(Path.Combine(directory, "environ")).Split('\0').Contains($"{Tag}={_tag}", StringComparer.Ordinal))
                {
                    found.Add(File.ReadAllText(Path.Combine(directory, "cmdline")).Replace('\0', ' '));
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It ended meanwhile, or belongs to somebody else.
            }
        }

        return found;
    }

    private static void SendSignal(int pid, int signal) => Assert.Equal(0, SendSignalNative(pid, signal));

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SendSignalNative(int pid, int signal);
}
