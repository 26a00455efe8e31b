using System.Globalization;
using System.Text.Json.Nodes;
using Npgsql;

namespace Flurrty.Topology.Tests;

/// <summary>Data that another version left: taken over, or refused with a sentence that says what to do.</summary>
public sealed class DataTests : IAsyncLifetime
{
    private const string Vanished = "20261120231410_ConsentsAndPendingUploads";

    private readonly TemporaryDirectory _temporary = new("flurrty-data-");
    private readonly DirectoryInfo _data;
    private readonly int _postgres = FreePort();

    public DataTests() => _data = _temporary.Create("data");

    private string Stamp => Path.Combine(_data.FullName, "format");

    private string Ready => Path.Combine(_data.FullName, "topology.json");

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _temporary.DisposeAsync();

    [Theory]
    [InlineData("2")]
    [InlineData("unreadable")]
    public async Task Data_OfALaterFormat_IsRefusedAndNothingIsStarted(string format)
    {
        await File.WriteAllTextAsync(Stamp, format);
        await using var apphost = Start();

        await apphost.WaitForExitAsync();
        Assert.NotEqual(0, apphost.ExitCode);

        var sentence = Assert.Single((await apphost.Errors).Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains($"has the format '{format}'", sentence, StringComparison.Ordinal);
        Assert.Contains($"rm -rf '{_data.FullName}'", sentence, StringComparison.Ordinal);
        Assert.Equal(["format", "lock"], _data.EnumerateFileSystemInfos().Select(static entry => entry.Name).Order(StringComparer.Ordinal));
        Assert.Equal(format, await File.ReadAllTextAsync(Stamp));
    }

    [Fact]
    public async Task Data_OfAnEarlierCommit_IsTakenOverOrRefused()
    {
        await using (var first = Start())
        {
            await first.WaitUntilHealthyAsync();
            await first.StopAsync();
        }

        // The commits before the stamp left the same directory without one.
        File.Delete(Stamp);
        File.Delete(Ready);
        await using (var second = Start())
        {
            await second.WaitUntilHealthyAsync();
            Assert.Equal("1", (await File.ReadAllTextAsync(Stamp)).Trim());

            // As one of the commits left it whose migration was renamed later.
            await ExecuteAsync($"""UPDATE "__EFMigrationsHistory" SET "MigrationId" = '{Vanished}' WHERE "MigrationId" LIKE '%_ConsentsAndPendingUploads'""");
            await second.StopAsync();
        }

        await using var third = Start();
        await third.WaitForExitAsync();
        Assert.NotEqual(0, third.ExitCode);
        Assert.Contains(Vanished, await third.Errors, StringComparison.Ordinal);
        Assert.Contains($"rm -rf '{_data.FullName}'", await third.Errors, StringComparison.Ordinal);
        Assert.False(File.Exists(Ready), "It became healthy.");
    }

    private AppHostProcess Start() => AppHostProcess.StartOver(_data, string.Create(CultureInfo.InvariantCulture, $"--Ports:postgres={_postgres}"));

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
}
