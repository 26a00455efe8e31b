using System.Diagnostics;
using System.Text;

namespace Flurrty.Sandbox.Tests.Support;

/// <summary>A sandbox in a process of its own, which can be killed and started again over the same data.</summary>
internal sealed class SandboxProcess : IAsyncDisposable
{
    private readonly Process _process;

    private SandboxProcess(Process process, string origin)
    {
        _process = process;
        Replicate = new ReplicateDriver(origin);
    }

    public ReplicateDriver Replicate { get; }

    public static async Task<SandboxProcess> StartAsync(string data, params string[] options)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "Flurrty.Sandbox.dll"));
        foreach (string argument in Arguments(data, options))
        {
            start.ArgumentList.Add(argument);
        }

        var process = Process.Start(start)!;
        var output = new StringBuilder();
        var origin = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        void Read(object sender, DataReceivedEventArgs line)
        {
            lock (output)
            {
                output.AppendLine(line.Data);
            }

            const string Listening = "Now listening on: ";
            if (line.Data?.IndexOf(Listening, StringComparison.Ordinal) is { } at and >= 0)
            {
                origin.TrySetResult(line.Data[(at + Listening.Length)..].Trim());
            }
        }

        process.OutputDataReceived += Read;
        process.ErrorDataReceived += Read;
        process.EnableRaisingEvents = true;
        process.Exited += (_, _) => origin.TrySetException(new InvalidOperationException("The sandbox ended: " + output));
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            return new SandboxProcess(process, await origin.Task.WaitAsync(Deadline.Journey));
        }
        catch
        {
            process.Kill();
            process.Dispose();
            throw;
        }
    }

    /// <summary>SIGKILL: the process gets no chance to write anything more.</summary>
    public async Task KillAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        Replicate.Dispose();
        await KillAsync();
        _process.Dispose();
    }

    private static string[] Arguments(string data, IEnumerable<string> options) =>
    [
        "--urls=http://127.0.0.1:0",
        $"--Sandbox:DataDirectory={data}",
        $"--Sandbox:Tokens:0={ReplicateDriver.Token}",
        $"--Sandbox:Tokens:1={ReplicateDriver.OtherToken}",
        "--Sandbox:SecondsPerTraining=0.4",
        "--Sandbox:Replicate:WebhookRetryDelay=00:00:00.050",
        .. options,
    ];
}
