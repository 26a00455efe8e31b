using System.Diagnostics;
using Npgsql;

namespace Flurrty.Topology.Tests;

/// <summary>Row-level security as the running topology has it.</summary>
[Collection(SharedTopologyTests.Name)]
public sealed class RowTests(SharedTopology shared)
{
    [Fact]
    public async Task AppRole_WithoutOrWithAnotherAccount_SeesNoRows()
    {
        var topology = shared.Topology;
        var set = await topology.UploadAsync(topology.Client, photos: 3);
        var id = await topology.RequestIdentityAsync(topology.Client, set);
        await topology.WaitForEndAsync(topology.Client, id, Deadline.Journey);

        foreach (var (service, table) in new[] { ("uploads", "photo_sets"), ("uploads", "photos"), ("training", "jobs"), ("training", "attempts"), ("registry", "identities"), ("registry", "versions") })
        {
            var connection = await ConnectionAsync(topology, service, $"ConnectionStrings__{service}");
            await using var source = NpgsqlDataSource.Create(connection);
            var account = await OwnAccountAsync(topology);
            Assert.True(await CountAsync(source, table, account) > 0, $"{service}.{table}: the owner sees its rows");
            Assert.Equal(0, await CountAsync(source, table, Guid.NewGuid().ToString()));
            Assert.Equal(0, await CountAsync(source, table, ""));
            Assert.Equal(0, await CountAsync(source, table, account: null));
        }
    }

    [Fact]
    public async Task Service_WithASuperuserConnection_RefusesToStart()
    {
        var topology = shared.Topology;
        var own = new NpgsqlConnectionStringBuilder(await ConnectionAsync(topology, "registry", "ConnectionStrings__registry"));
        var keys = System.Text.Json.Nodes.JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(topology.DataDirectory, "keys.json")))!;
        var super = new NpgsqlConnectionStringBuilder(own.ConnectionString) { Username = "postgres", Password = (string)keys["postgres-superuser"]! };
        await using (var source = NpgsqlDataSource.Create(super.ConnectionString))
        {
            await using var command = source.CreateCommand("SELECT rolsuper FROM pg_roles WHERE rolname = current_user");
            Assert.True((bool)(await command.ExecuteScalarAsync())!);
        }

        Assert.Contains("Now listening", await RunRegistryAsync(topology, own.ConnectionString), StringComparison.Ordinal);
        var refused = await RunRegistryAsync(topology, super.ConnectionString);
        Assert.Contains("is a superuser", refused, StringComparison.Ordinal);
        Assert.DoesNotContain("Now listening", refused, StringComparison.Ordinal);
        Assert.DoesNotContain(super.Password!, refused, StringComparison.Ordinal);
    }

    private static async Task<string> RunRegistryAsync(RunningTopology topology, string connection)
    {
        var environment = await EnvironmentAsync(topology, "registry");
        var dll = environment.Command;
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        start.ArgumentList.Add("exec");
        start.ArgumentList.Add(dll);
        foreach (var (name, value) in environment.Variables)
        {
            start.Environment[name] = value;
        }

        start.Environment["ConnectionStrings__registry"] = connection;
        start.Environment["ASPNETCORE_URLS"] = "http://127.0.0.1:0";
        using var process = Process.Start(start)!;
        var output = new System.Text.StringBuilder();
        process.OutputDataReceived += (_, line) => { lock (output) { output.AppendLine(line.Data); } };
        process.ErrorDataReceived += (_, line) => { lock (output) { output.AppendLine(line.Data); } };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        await Deadline.WaitAsync("registry listens or ends", Deadline.Journey, () =>
        {
            lock (output)
            {
                return Task.FromResult(process.HasExited || output.ToString().Contains("Now listening", StringComparison.Ordinal));
            }
        });
        if (!process.HasExited)
        {
            process.Kill();
        }

        await process.WaitForExitAsync();
        lock (output)
        {
            return output.ToString();
        }
    }

    private static async Task<string> OwnAccountAsync(RunningTopology topology)
    {
        var keys = System.Text.Json.Nodes.JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(topology.DataDirectory, "keys.json")))!;
        return (string)keys["account-development"]!;
    }

    private static async Task<long> CountAsync(NpgsqlDataSource source, string table, string? account)
    {
        await using var connection = await source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        if (account is not null)
        {
            await using var set = new NpgsqlCommand("SELECT set_config('flurrty.account_id', $1, true)", connection, transaction);
            set.Parameters.Add(new NpgsqlParameter { Value = account });
            await set.ExecuteNonQueryAsync();
        }

        await using var count = new NpgsqlCommand($"SELECT count(*) FROM {table}", connection, transaction);
        return (long)(await count.ExecuteScalarAsync())!;
    }

    private static async Task<string> ConnectionAsync(RunningTopology topology, string service, string variable) => (await EnvironmentAsync(topology, service)).Variables[variable];

    // What the orchestrator gave the process: read from the outside, by its pid.
    private static async Task<(string Command, Dictionary<string, string> Variables)> EnvironmentAsync(RunningTopology topology, string service)
    {
        var pid = Assert.Single(topology.PidsOf(service));
        var variables = (await File.ReadAllTextAsync($"/proc/{pid}/environ")).Split('\0', StringSplitOptions.RemoveEmptyEntries)
            .Select(static line => line.Split('=', 2)).Where(static parts => parts.Length == 2)
            .DistinctBy(static parts => parts[0]).ToDictionary(static parts => parts[0], static parts => parts[1], StringComparer.Ordinal);
        var arguments = (await File.ReadAllTextAsync($"/proc/{pid}/cmdline")).Split('\0', StringSplitOptions.RemoveEmptyEntries);
        return ($"{arguments[0]}.dll", variables);
    }
}
