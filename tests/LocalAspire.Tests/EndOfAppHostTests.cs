using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Flurrty.LocalAspire.Tests;

/// <summary>However an AppHost ends, nothing that it started is left.</summary>
public sealed class EndOfAppHostTests
{
    private const int Interrupt = 2;
    private const int Kill = 9;
    private const int Terminate = 15;
    private readonly ConcurrentQueue<string> _output = new();

    [Theory]
    [InlineData(Kill, 15)]
    [InlineData(Terminate, 10)]
    [InlineData(Interrupt, 10)]
    public async Task Signal_ToARunningAppHost_LeavesNoProcess(int signal, int seconds)
    {
        using var appHost = Start();
        var tag = await WaitForAllAsync(appHost);
        SendSignal(appHost.Id, signal);
        await Deadline.UntilAsync(() => Task.FromResult(string.Join("; ", Tagged(tag))), left => left.Length == 0, "no process", seconds);
        await appHost.WaitForExitAsync(Deadline.In(10));
        if (signal != Kill)
        {
            Assert.Equal(0, appHost.ExitCode);
        }
    }

    [Fact]
    public async Task Signal_WhileResourcesStillStart_EndsTheAppHostCleanly()
    {
        using var appHost = Start("--Fixture:Hold=true");
        await Deadline.UntilAsync(() => Task.FromResult(Descendants(appHost.Id).Count), count => count >= 3, "processes");
        var tag = TagOf(appHost.Id);
        SendSignal(appHost.Id, Terminate);
        await appHost.WaitForExitAsync(Deadline.In(15));
        Assert.Equal(0, appHost.ExitCode);
        await Deadline.UntilAsync(() => Task.FromResult(string.Join("; ", Tagged(tag))), left => left.Length == 0, "no process", 10);
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
            Environment = { ["DOTNET_LOCALASPIRE_TEST_TAG"] = Guid.NewGuid().ToString("N") },
        };
        start.ArgumentList.Add("--default-signal=INT");
        start.ArgumentList.Add("dotnet");
        start.ArgumentList.Add(typeof(Projects.Fixture_AppHost).Assembly.Location);
        foreach (var arg in (string[])["--DcpPublisher:RandomizePorts=true", .. args])
        {
            start.ArgumentList.Add(arg);
        }

        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
        process.ErrorDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private async Task<string> WaitForAllAsync(Process appHost)
    {
        var tag = TagOf(appHost.Id);
        await Deadline.UntilAsync(
            () => Task.FromResult($"{string.Join("; ", Tagged(tag))}\n{string.Join('\n', _output)}"),
            seen => seen.Contains("aspire-managed", StringComparison.Ordinal)
                && seen.Contains("http.server", StringComparison.Ordinal)
                && Count(seen, "Flurrty.Fixture.Web.dll") == 3,
            "dashboard, file server and three web processes",
            60);
        return tag;
    }

    private static int Count(string text, string part) => text.Split(part).Length - 1;

    private static string TagOf(int pid) => File.ReadAllText($"/proc/{pid}/environ").Split('\0').Single(v => v.StartsWith("DOTNET_LOCALASPIRE_TEST_TAG=", StringComparison.Ordinal));

    private static List<string> Descendants(int pid) => Tagged(TagOf(pid));

    /// <summary>The command lines of all processes with the mark, but for those that are only waiting to be reaped.</summary>
    private static List<string> Tagged(string tag)
    {
        List<string> found = [];
        foreach (var directory in Directory.EnumerateDirectories("/proc").Where(d => int.TryParse(Path.GetFileName(d), out _)))
        {
            try
            {
                if (File.ReadAllText(Path.Combine(directory, "environ")).Split('\0').Contains(tag, StringComparer.Ordinal))
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
