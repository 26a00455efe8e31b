using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Npgsql;

namespace Flurrty.Topology.Tests;

/// <summary>Data that another version left: taken over, or refused with a sentence that says what to do.</summary>
public sealed class DataTests : IDisposable
{
    private const string Vanished = "20261120231410_ConsentsAndPendingUploads";

    private readonly DirectoryInfo _data = Directory.CreateTempSubdirectory("flurrty-data-");
    private readonly int _postgres = FreePort();

    public DataTests() => File.SetUnixFileMode(
        _data.FullName, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);

    private string Stamp => Path.Combine(_data.FullName, "format");

    private string Ready => Path.Combine(_data.FullName, "topology.json");

    public void Dispose() => _data.Delete(recursive: true);

    [Theory]
    [InlineData("2")]
    [InlineData("unreadable")]
    public async Task Data_OfALaterFormat_IsRefusedAndNothingIsStarted(string format)
    {
        await File.WriteAllTextAsync(Stamp, format);
        await using var apphost = new AppHostProcess(_data, _postgres);

        Assert.NotEqual(0, await apphost.EndAsync());

        var sentence = Assert.Single(apphost.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains($"has the format '{format}'", sentence, StringComparison.Ordinal);
        Assert.Contains($"rm -rf '{_data.FullName}'", sentence, StringComparison.Ordinal);
        Assert.Equal(["format", "lock"], _data.EnumerateFileSystemInfos().Select(static entry => entry.Name).Order(StringComparer.Ordinal));
        Assert.Equal(format, await File.ReadAllTextAsync(Stamp));
    }

    [Fact]
    public async Task Data_OfAnEarlierCommit_IsTakenOverOrRefused()
    {
        await using (var first = new AppHostProcess(_data, _postgres))
        {
            await first.ReadyAsync(Ready);
            await first.StopAsync();
        }

        // The commits before the stamp left the same directory without one.
        File.Delete(Stamp);
        File.Delete(Ready);
        await using (var second = new AppHostProcess(_data, _postgres))
        {
            await second.ReadyAsync(Ready);
            Assert.Equal("1", (await File.ReadAllTextAsync(Stamp)).Trim());

            // As one of the commits left it whose migration was renamed later.
            await ExecuteAsync($"""UPDATE "__EFMigrationsHistory" SET "MigrationId" = '{Vanished}' WHERE "MigrationId" LIKE '%_ConsentsAndPendingUploads'""");
            await second.StopAsync();
        }

        await using var third = new AppHostProcess(_data, _postgres);
        Assert.NotEqual(0, await third.EndAsync());
        Assert.Contains(Vanished, third.Errors, StringComparison.Ordinal);
        Assert.Contains($"rm -rf '{_data.FullName}'", third.Errors, StringComparison.Ordinal);
        Assert.False(File.Exists(Ready), "It became healthy.");
    }

    private async Task ExecuteAsync(string sql)
    {
        var keys = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(_data.FullName, "keys.json")))!;
        await using var source = NpgsqlDataSource.Create(
            $"Host=127.0.0.1;Port={_postgres};Database=uploads;Username=uploads_owner;Password={keys["postgres-uploads-owner"]};Pooling=false");
        await using var command = source.CreateCommand(sql);
        Assert.Equal(1, await command.ExecuteNonQueryAsync());
    }

    private static int FreePort()
    {
        using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>The AppHost as a person starts it.</summary>
    private sealed class AppHostProcess : IAsyncDisposable
    {
        // Where it was built: the copy beside the tests has not all that it runs with.
        private static readonly string Assembly = Path.Combine(
            Path.GetDirectoryName(Path.GetDirectoryName(RunningTopology.SamplePhotos))!, "AppHost", "bin", Configuration, "net10.0", "Flurrty.AppHost.dll");

        private readonly Process _process;
        private readonly StringBuilder _errors = new();

        public AppHostProcess(DirectoryInfo data, int postgres)
        {
            var start = new ProcessStartInfo(
                "dotnet",
                [Assembly, $"--Data:Directory={data.FullName}", string.Create(CultureInfo.InvariantCulture, $"--Ports:postgres={postgres}")])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                UseShellExecute = false,
                Environment =
                {
                    ["DOTNET_ENVIRONMENT"] = "Development",
                    ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{FreePort()}",
                    ["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = $"http://127.0.0.1:{FreePort()}",
                    ["ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL"] = $"http://127.0.0.1:{FreePort()}",
                    ["ASPIRE_ALLOW_UNSECURED_TRANSPORT"] = "true",
                },
            };
            _process = Process.Start(start)!;
            _process.ErrorDataReceived += (_, line) =>
            {
                lock (_errors)
                {
                    _errors.AppendLine(line.Data);
                }
            };
            _process.BeginErrorReadLine();
            _ = _process.StandardOutput.ReadToEndAsync();
        }

        private static string Configuration =>
#if DEBUG
            "Debug";
#else
            "Release";
#endif

        public string Errors
        {
            get
            {
                lock (_errors)
                {
                    return _errors.ToString();
                }
            }
        }

        public async Task ReadyAsync(string file) => await Deadline.WaitAsync(
            "the topology is healthy",
            Deadline.Journey,
            () => Task.FromResult((Is: File.Exists(file), Ended: _process.HasExited, Errors)),
            static state => state.Ended ? throw new InvalidOperationException($"It ended: {state.Errors}") : state.Is);

        public async Task<int> EndAsync()
        {
            await _process.WaitForExitAsync().WaitAsync(Deadline.Journey);
            return _process.ExitCode;
        }

        public async Task StopAsync()
        {
            using (var kill = Process.Start("kill", ["-TERM", $"{_process.Id}"]))
            {
                await kill.WaitForExitAsync();
            }

            await EndAsync();
        }

        public async ValueTask DisposeAsync()
        {
            if (!_process.HasExited)
            {
                await StopAsync();
            }

            _process.Dispose();
        }
    }
}
