using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Flurrty.NativeInfrastructure;

/// <summary>One server of eng/native in the foreground, with its data in a temporary directory that goes with it.</summary>
public sealed partial class NativeServer : IAsyncDisposable
{
    private const int LowestPort = 20_000;
    private const uint Ports = 12_000;
    private const int Terminate = 15;
    private const int LongestTail = 16 * 1024;
    private static int _lastPort = Random.Shared.Next();

    private readonly Func<Task> _isReady;
    private readonly StringBuilder _output = new();
    private readonly string _script;
    private readonly IReadOnlyDictionary<string, string> _variables;
    private TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Process? _process;

    private NativeServer(string script, string directory, IReadOnlyDictionary<string, string> variables, Func<Task> isReady)
    {
        _script = script;
        Directory = directory;
        _variables = variables;
        _isReady = isReady;
    }

    /// <summary>The server's data.</summary>
    public string Directory { get; }

    /// <summary>What the server said last.</summary>
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

    /// <summary>Makes a temporary directory that a server under another user can reach into.</summary>
    internal static string MakeDirectory(string name)
    {
        var directory = System.IO.Directory.CreateTempSubdirectory($"flurrty-{name}-").FullName;
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        }

        return directory;
    }

    /// <summary>
    /// A port that nobody listens on, below the range from which the system takes those of outgoing connections: until a server listens, one of
    /// those could take the port.
    /// </summary>
    public static int FreePort()
    {
        while (true)
        {
            var port = LowestPort + (int)((uint)Interlocked.Increment(ref _lastPort) % Ports);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException taken) when (taken.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                // The next one, then.
            }
        }
    }

    internal static string NewPassword() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    /// <summary>Starts a script of eng/native and waits until <paramref name="isReady"/> succeeds.</summary>
    internal static async Task<NativeServer> StartAsync(
        string script, string directory, IReadOnlyDictionary<string, string> variables, Func<Task> isReady)
    {
        var server = new NativeServer(script, directory, variables, isReady);
        try
        {
            await server.StartAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts the server again over the data that it left.</summary>
    public async Task StartAsync()
    {
        _ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Run(_ended);
        await WaitAsync();
    }

    /// <summary>Stops the server and keeps its data.</summary>
    public async Task StopAsync()
    {
        if (_process is not { } process)
        {
            return;
        }

        _process = null;
        if (!_ended.Task.IsCompleted)
        {
            _ = Kill(process.Id, Terminate);
        }

        try
        {
            await _ended.Task.WaitAsync(Deadline.Step);
        }
        catch (TimeoutException)
        {
            process.Kill(entireProcessTree: true);
            await _ended.Task;
        }

        process.Dispose();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        try
        {
            System.IO.Directory.Delete(Directory, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // Nothing was written.
        }
    }

    private void Run(TaskCompletionSource ended)
    {
        var start = new ProcessStartInfo("setpriv")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };

        // A killed test run takes its servers along.
        foreach (var argument in new[] { "--pdeathsig", "TERM", "bash", Path.Combine(Repository.Root, "eng", "native", _script) })
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var (name, value) in _variables)
        {
            start.Environment[name] = value;
        }

        // The death signal belongs to the thread that starts the process, so that thread stays until the process ends.
        using var started = new ManualResetEventSlim();
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                var process = Process.Start(start)!;
                process.OutputDataReceived += (_, line) => Note(line.Data);
                process.ErrorDataReceived += (_, line) => Note(line.Data);
                process.BeginOutputReadLine();
                process.BeginErrorReadLine();
                process.StandardInput.Close();
                _process = process;
                started.Set();
                process.WaitForExit();
                ended.SetResult();
            }
            catch (Exception problem) when (_process is null)
            {
                failure = problem;
                started.Set();
            }
        })
        {
            IsBackground = true,
            Name = _script,
        };
        thread.Start();
        started.Wait();
        if (failure is not null)
        {
            throw new InvalidOperationException($"{_script} cannot be started: {failure.Message}", failure);
        }
    }

    private async Task WaitAsync() => await Deadline.WaitAsync(
        $"{_script} is ready",
        Deadline.Journey,
        async () =>
        {
            try
            {
                await _isReady();
                return null;
            }
            catch (Exception problem) when (_ended.Task.IsCompleted)
            {
                throw new InvalidOperationException($"{_script} ended before it was ready:\n{Output}", problem);
            }
            catch (Exception problem)
            {
                return $"{problem.Message}\n{Output}";
            }
        },
        static state => state is null);

    private void Note(string? line)
    {
        if (line is not null)
        {
            lock (_output)
            {
                _output.AppendLine(line);
                if (_output.Length > LongestTail)
                {
                    _output.Remove(0, _output.Length - LongestTail);
                }
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int processId, int signal);
}

/// <summary>The working copy that the tests were built from.</summary>
public static class Repository
{
    /// <summary>Its top directory.</summary>
    public static string Root { get; } = Find();

    private static string Find()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "Flurrty.sln")))
            {
                return directory.FullName;
            }
        }

        throw new InvalidOperationException($"Flurrty.sln was not found above {AppContext.BaseDirectory}.");
    }
}
