using System.Collections;
using System.Diagnostics;
using Microsoft.Extensions.Options;

namespace Aspire.Hosting.Dcp;

/// <summary>Starts the orchestrator and ends it, with every process that it runs.</summary>
internal sealed partial class DcpHost(IOptions<DcpOptions> options, TimeProvider time, ILogger<DcpHost> logger) : IAsyncDisposable
{
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(25);
    private readonly SemaphoreSlim _gate = new(1, 1);
    private string? _session;
    private DcpClient? _client;
    private bool _stopped;

    internal DcpClient Client => _client ?? throw new InvalidOperationException("The orchestrator is not running.");

    internal bool IsRunning => _client is not null && !_stopped;

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _client?.Dispose();
        _gate.Dispose();
    }

    internal async Task StartAsync(CancellationToken cancellationToken)
    {
        var cli = options.Value.RequireCli();

        // The orchestrator empties a session folder that has been used before, so each run has its own.
        _session = Directory.CreateTempSubdirectory("aspire-").FullName;
        var kubeconfig = Path.Combine(_session, "kubeconfig");
        var start = new ProcessStartInfo(cli)
        {
            UseShellExecute = false,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            WorkingDirectory = _session,
        };
        foreach (var argument in (string[])["start-apiserver", "--monitor", $"{Environment.ProcessId}", "--detach", "--kubeconfig", kubeconfig])
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment.Clear();
        foreach (var (name, value) in AmbientEnvironment())
        {
            start.Environment[name] = value;
        }

        start.Environment["DCP_SESSION_FOLDER"] = _session;
        using (var process = Process.Start(start)!)
        {
            var errors = process.StandardError.ReadToEndAsync(cancellationToken);
            _ = process.StandardOutput.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            if (process.ExitCode != 0)
            {
                throw new DistributedApplicationException($"The orchestrator ended with exit code {process.ExitCode}: {await errors}");
            }
        }

        var began = time.GetTimestamp();
        while (true)
        {
            if (DcpKubeconfig.TryRead(kubeconfig) is { } found)
            {
                _client = new DcpClient(found);
                Log.Started(logger, time.GetElapsedTime(began).TotalSeconds, _session);
                return;
            }

            if (time.GetElapsedTime(began) > StartPatience)
            {
                throw new DistributedApplicationException($"The orchestrator did not start within {StartPatience.TotalSeconds:0} s (session folder {_session}).");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), time, cancellationToken);
        }
    }

    /// <summary>Ends everything; harmless when called again.</summary>
    internal async Task StopAsync()
    {
        await _gate.WaitAsync();
        try
        {
            if (_stopped || _session is null)
            {
                return;
            }

            _stopped = true;
            if (_client is not null)
            {
                await ShutDownAsync(_client, _session);
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    private async Task ShutDownAsync(DcpClient client, string session)
    {
        var began = time.GetTimestamp();
        try
        {
            using var patience = new CancellationTokenSource(StopPatience, time);
            await client.ShutDownAsync(patience.Token);

            // The orchestrator removes its session folder last of all.
            while (Directory.Exists(session))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), time, patience.Token);
            }

            Log.Stopped(logger, time.GetElapsedTime(began).TotalSeconds);
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or DistributedApplicationException)
        {
            // It watches this process and ends by itself when this process does.
            Log.StopFailed(logger, e.Message);
        }
    }

    /// <summary>
    /// What every process inherits: enough to find programs, homes, certificates and proxies, and nothing that was meant for the AppHost,
    /// whose variables may hold secrets that only one resource is to know.
    /// </summary>
    private static IEnumerable<KeyValuePair<string, string>> AmbientEnvironment()
    {
        string[] names =
        [
            "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM", "TMPDIR", "TMP", "TEMP", "HOSTNAME", "LD_LIBRARY_PATH",
            "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
        ];
        string[] prefixes = ["LC_", "XDG_", "DOTNET_"];
        string[] excluded = ["DOTNET_ENVIRONMENT", "DOTNET_LAUNCH_PROFILE", "DOTNET_STARTUP_HOOKS", "DOTNET_HOST_PATH"];
        foreach (DictionaryEntry entry in Environment.GetEnvironmentVariables())
        {
            var name = (string)entry.Key;
            var known = names.Contains(name, StringComparer.OrdinalIgnoreCase) || prefixes.Any(p => name.StartsWith(p, StringComparison.Ordinal));
            if (known && !name.Contains("__", StringComparison.Ordinal) && !excluded.Contains(name, StringComparer.OrdinalIgnoreCase))
            {
                yield return new(name, (string?)entry.Value ?? string.Empty);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Debug, "The orchestrator started in {Seconds:0.0} s (session folder {Session}).")]
        internal static partial void Started(ILogger logger, double seconds, string session);

        [LoggerMessage(2, LogLevel.Debug, "Everything stopped in {Seconds:0.0} s.")]
        internal static partial void Stopped(ILogger logger, double seconds);

        [LoggerMessage(3, LogLevel.Warning, "The orchestrator could not be told to stop; it ends with this process: {Reason}")]
        internal static partial void StopFailed(ILogger logger, string reason);
    }
}
