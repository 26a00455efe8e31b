using Npgsql;

namespace Flurrty.RegistryService.Tests.Persistence;

/// <summary>What the database itself refuses, whatever the code asks.</summary>
[Collection(RegistryCollection.Name)]
public sealed class IsolationTests(RegistryFixture fixture)
{
    private static readonly string[] TableNames = ["identities", "versions", "version_changes", "outbox_messages", "inbox_messages"];

    private readonly Guid _account = Guid.CreateVersion7();

    public static TheoryData<string> Tables => [.. TableNames];

    [Theory]
    [MemberData(nameof(Tables))]
    public async Task AppRole_Rows_AreItsAccountsAlone(string table)
    {
        fixture.SealWith(3);
        await using var detached = fixture.Start();
        await detached.ClientOf(_account).CreatedAsync(new { name = "Dad", photo_set_id = Guid.CreateVersion7() });
        await using (var inbox = fixture.Everything.CreateCommand("INSERT INTO inbox_messages (account_id, message_id, consumer) VALUES ($1, $2, 'test')"))
        {
            inbox.Parameters.Add(new NpgsqlParameter { Value = _account });
            inbox.Parameters.Add(new NpgsqlParameter { Value = Guid.CreateVersion7() });
            await inbox.ExecuteNonQueryAsync();
        }

        Assert.True(await CountAsAsync(table, _account) > 0, $"The account sees no rows of its own in {table}.");
        Assert.Equal(0, await CountAsAsync(table, Guid.CreateVersion7()));
        Assert.Equal(0, await CountAsAsync(table, account: null));
    }

    [Fact]
    public async Task AppRole_WritingForAnotherAccount_IsRefused()
    {
        await using var app = NpgsqlDataSource.Create(fixture.Postgres.App("registry"));
        await using var connection = await app.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await SetAccountAsync(connection, _account);
        await using var command = new NpgsqlCommand("INSERT INTO inbox_messages (account_id, message_id, consumer) VALUES ($1, $1, 'test')", connection);
        command.Parameters.Add(new NpgsqlParameter { Value = Guid.CreateVersion7() });
        var refusal = await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync());
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refusal.SqlState);
    }

    [Fact]
    public async Task Tables_WithAnAccount_AllHaveForcedRowLevelSecurityAndAPolicy()
    {
        await using var command = fixture.Everything.CreateCommand("""
            SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (
                SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND pg_get_expr(p.polqual, p.polrelid) LIKE '%flurrty.account_id%')
            FROM pg_class c
            WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND c.relname <> '__EFMigrationsHistory'
            """);
        var tables = new List<string>();
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            tables.Add(reader.GetString(0));
            Assert.True(reader.GetBoolean(1), $"{reader.GetString(0)} is not bound to its account.");
        }

        Assert.Equal(TableNames.Order(StringComparer.Ordinal), tables.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task DispatcherRole_MayClaimButNotLook()
    {
        await using var dispatcher = NpgsqlDataSource.Create(fixture.Postgres.Dispatcher("registry"));
        await using (var claim = dispatcher.CreateCommand("SELECT count(*) FROM claim_quiet_versions(0, interval '1 s', interval '1 s')"))
        {
            Assert.Equal(0L, await claim.ExecuteScalarAsync());
        }

        foreach (var table in TableNames)
        {
            await using var look = dispatcher.CreateCommand($"SELECT count(*) FROM {table}");
            var refusal = await Assert.ThrowsAsync<PostgresException>(() => look.ExecuteScalarAsync());
            Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refusal.SqlState);
        }
    }

    [Fact]
    public async Task AppRole_MayNotClaim()
    {
        await using var app = NpgsqlDataSource.Create(fixture.Postgres.App("registry"));
        await using var claim = app.CreateCommand("SELECT count(*) FROM claim_quiet_versions(1, interval '1 s', interval '1 s')");
        var refusal = await Assert.ThrowsAsync<PostgresException>(() => claim.ExecuteScalarAsync());
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refusal.SqlState);
    }

    [Theory]
    [InlineData("superuser")]
    [InlineData("owner")]
    public async Task Service_WithARoleThatPoliciesDoNotBind_RefusesToStart(string role)
    {
        var connection = role == "owner" ? fixture.Postgres.Owner("registry") : fixture.Postgres.Superuser("registry");
        await using var registry = fixture.Start(("ConnectionStrings:registry", connection));
        var failure = Assert.ThrowsAny<Exception>(() => registry.ClientOf(_account));
        Assert.Contains("Row-level security would not bind", failure.ToString(), StringComparison.Ordinal);
    }

    private static async Task SetAccountAsync(NpgsqlConnection connection, Guid account)
    {
        await using var set = new NpgsqlCommand("SELECT set_config('flurrty.account_id', $1, true)", connection);
        set.Parameters.Add(new NpgsqlParameter { Value = account.ToString() });
        await set.ExecuteNonQueryAsync();
    }

    private async Task<long> CountAsAsync(string table, Guid? account)
    {
        await using var app = NpgsqlDataSource.Create(fixture.Postgres.App("registry"));
        await using var connection = await app.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        if (account is { } id)
        {
            await SetAccountAsync(connection, id);
        }

        await using var command = new NpgsqlCommand($"SELECT count(*) FROM {table}", connection);
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
