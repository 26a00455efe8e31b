using Npgsql;

namespace Flurrty.TrainingService.Tests.Service;

/// <summary>What each database role can see and do.</summary>
[Collection(ServiceTests.Name)]
public sealed class RowIsolationTests(TrainingFixture fixture)
{
    private static readonly string[] TenantTables = ["jobs", "attempts", "stages", "webhook_events", "outbox_messages", "inbox_messages"];

    [Fact]
    public async Task AppRole_AsTheAccount_SeesItsRowsAndNobodyElses()
    {
        await fixture.StopSharedAsync();
        var mine = await fixture.TrainAsync();
        var other = await fixture.TrainAsync();

        Assert.Equal(1, await CountAsync(mine.AccountId, "jobs", "id", mine.JobId));
        Assert.Equal(1, await CountAsync(mine.AccountId, "stages", "job_id", mine.JobId));
        Assert.Equal(0, await CountAsync(mine.AccountId, "jobs", "id", other.JobId));
        Assert.Equal(0, await CountAsync(mine.AccountId, "stages", "job_id", other.JobId));
        Assert.Equal(0, await CountAsync(accountId: null, "jobs", "id", mine.JobId));
    }

    [Fact]
    public async Task AppRole_WithoutAnAccount_SeesNoRowOfAnyTable()
    {
        await fixture.TrainAsync();
        await using var source = NpgsqlDataSource.Create(fixture.AppConnection);
        foreach (var table in TenantTables)
        {
            await using var command = source.CreateCommand($"SELECT count(*) FROM {table}");
            Assert.Equal(0L, await command.ExecuteScalarAsync());
        }
    }

    [Fact]
    public async Task AppRole_WritingForAnotherAccount_IsRefused()
    {
        var mine = await fixture.TrainAsync();
        await using var source = NpgsqlDataSource.Create(fixture.AppConnection);
        await using var connection = await source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await SetAccountAsync(connection, mine.AccountId);
        await using var command = new NpgsqlCommand(
            "INSERT INTO stages (account_id, job_id, number, state, attempt, started_at, tries) VALUES ($1, $2, 99, 'accepted', 0, now(), 0)", connection)
        {
            Parameters = { new() { Value = mine.AccountId }, new() { Value = mine.JobId } },
        };
        Assert.Equal(1, await command.ExecuteNonQueryAsync());
        command.Parameters[0].Value = Guid.NewGuid();

        var refusal = await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync());

        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refusal.SqlState);
    }

    [Fact]
    public async Task EveryTable_ButTheMigrationHistory_ForcesRowSecurity()
    {
        await using var source = NpgsqlDataSource.Create(fixture.SuperuserConnection);
        await using var command = source.CreateCommand(
            """
            SELECT c.relname::text, c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid)
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind = 'r' AND n.nspname = 'public' AND c.relname <> '__EFMigrationsHistory'
            """);
        await using var reader = await command.ExecuteReaderAsync();
        var tables = new Dictionary<string, bool>(StringComparer.Ordinal);
        while (await reader.ReadAsync())
        {
            tables[reader.GetString(0)] = reader.GetBoolean(1);
        }

        Assert.Equal(TenantTables.Order(StringComparer.Ordinal), tables.Keys.Order(StringComparer.Ordinal));
        Assert.All(tables, static table => Assert.True(table.Value, table.Key));
    }

    [Fact]
    public async Task DispatcherRole_ExecutesItsFunctionsAndReadsNoTable()
    {
        await fixture.StopSharedAsync();
        var job = await fixture.TrainAsync();
        await using var source = NpgsqlDataSource.Create(fixture.DispatcherConnection);
        await using var claim = source.CreateCommand("SELECT id, account_id FROM claim_jobs(1000, interval '0 seconds', 1, gen_random_uuid())");
        var claimed = new List<(Guid, Guid)>();
        await using (var reader = await claim.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync())
            {
                claimed.Add((reader.GetGuid(0), reader.GetGuid(1)));
            }
        }

        Assert.Contains((job.JobId, job.AccountId), claimed);
        foreach (var table in TenantTables)
        {
            await using var command = source.CreateCommand($"SELECT count(*) FROM {table}");
            var refusal = await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteScalarAsync());
            Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refusal.SqlState);
        }
    }

    [Fact]
    public async Task AppRole_MayNotExecuteTheClaimFunctions()
    {
        await using var source = NpgsqlDataSource.Create(fixture.AppConnection);
        await using var claim = source.CreateCommand("SELECT id FROM claim_jobs(1, interval '1 second', 1, gen_random_uuid())");

        var refusal = await Assert.ThrowsAsync<PostgresException>(() => claim.ExecuteScalarAsync());

        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refusal.SqlState);
    }

    [Fact]
    public async Task Service_WithASuperusersConnection_RefusesToStart()
    {
        await using var service = await ChildProcess.LaunchAsync(
            "TrainingService", fixture.VariablesWith(("ConnectionStrings:training", fixture.SuperuserConnection)));

        Assert.NotEqual(0, await service.WaitForExitAsync(Deadline.Journey));
        Assert.Contains("superuser", service.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Service_WithWrongOptions_SaysEveryErrorAndRefusesToStart()
    {
        await using var service = await ChildProcess.LaunchAsync(
            "TrainingService",
            fixture.VariablesWith(("Driving:PostLease", "00:00:01"), ("Replicate:ApiToken", ""), ("Replicate:BaseUrl", "ftp://replicate")));

        Assert.NotEqual(0, await service.WaitForExitAsync(Deadline.Journey));
        Assert.Contains("Driving:PostLease", service.Output, StringComparison.Ordinal);
        Assert.Contains("ApiToken", service.Output, StringComparison.Ordinal);
        Assert.Contains("Replicate:BaseUrl", service.Output, StringComparison.Ordinal);
    }

    private async Task<long> CountAsync(Guid? accountId, string table, string column, Guid id)
    {
        await using var source = NpgsqlDataSource.Create(fixture.AppConnection);
        await using var connection = await source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        if (accountId is { } account)
        {
            await SetAccountAsync(connection, account);
        }

        await using var command = new NpgsqlCommand($"SELECT count(*) FROM {table} WHERE {column} = $1", connection) { Parameters = { new() { Value = id } } };
        return (long)(await command.ExecuteScalarAsync())!;
    }

    private static async Task SetAccountAsync(NpgsqlConnection connection, Guid accountId)
    {
        await using var command = new NpgsqlCommand("SELECT set_config('flurrty.account_id', $1, true)", connection)
        {
            Parameters = { new() { Value = accountId.ToString() } },
        };
        await command.ExecuteNonQueryAsync();
    }
}
