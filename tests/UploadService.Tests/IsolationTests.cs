using System.Net;
using Flurrty.ServiceDefaults.Data;
using Flurrty.UploadService.Persistence;
using Flurrty.UploadService.Tests.Fixtures;
using Npgsql;

namespace Flurrty.UploadService.Tests;

[Collection(UploadsCollection.Name)]
public sealed class IsolationTests(UploadsFixture uploads)
{
    private const string TenantTables = """
        SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relname <> '__EFMigrationsHistory' ORDER BY 1
        """;

    [Fact]
    public async Task AppRole_WithAnotherAccountOrNone_SeesNoRows()
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        using var registry = uploads.AsService("registry", account);
        var set = await caller.NewSetWithPhotosAsync(3);
        var version = Guid.CreateVersion7();
        _ = await caller.BegunAsync(set, TestPhotos.Jpeg(64, 64, 999));
        Assert.Equal(HttpStatusCode.OK, (await registry.SealAsync(version, set)).Status);
        await uploads.Listener.BuildAsync(account, version);
        _ = await uploads.Listener.WaitForBuiltAsync(version);
        await uploads.Listener.BuildAsync(account, version, revision: 2);
        _ = await uploads.Listener.WaitForBuiltAsync(version, nth: 2);

        foreach (var table in new[] { "photo_sets", "photos", "seals", "sealed_photos", "datasets", "consents", "pending_uploads", "scheduled_removals", "inbox_messages" })
        {
            Assert.True(await CountAsync(table, account) > 0, $"{table} shows the owner nothing");
            Assert.Equal(0, await CountAsync(table, Guid.NewGuid()));
            Assert.Equal(0, await CountAsync(table, account: null));
        }
    }

    [Fact]
    public async Task EveryTable_OfTheSchema_IsBoundToItsAccount()
    {
        var tables = await StoreChecks.QueryAsync(uploads.Postgres.Superuser("uploads"), TenantTables);
        Assert.Contains("photos", tables);
        var bound = await StoreChecks.QueryAsync(uploads.Postgres.Superuser("uploads"), """
            SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'account_id' AND a.attnotnull
            WHERE c.relrowsecurity AND c.relforcerowsecurity ORDER BY 1
            """);
        Assert.Equal(tables, bound);
    }

    [Fact]
    public async Task AppRole_WritingForAnotherAccount_IsRefused()
    {
        var account = Guid.NewGuid();
        await using var source = NpgsqlDataSource.Create(uploads.Postgres.App("uploads"));
        Assert.Equal(1, await InsertAsync(source, account, account));
        var problem = await Assert.ThrowsAsync<PostgresException>(() => InsertAsync(source, account, Guid.NewGuid()));
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, problem.SqlState);
    }

    [Fact]
    public async Task DispatcherRole_MayOnlyClaim()
    {
        var dispatcher = uploads.Postgres.Dispatcher("uploads");
        _ = await StoreChecks.QueryAsync(dispatcher, "SELECT id, account_id FROM claim_datasets(0, 1)");
        foreach (var table in await StoreChecks.QueryAsync(uploads.Postgres.Superuser("uploads"), TenantTables))
        {
            var problem = await Assert.ThrowsAsync<PostgresException>(() => StoreChecks.QueryAsync(dispatcher, $"SELECT * FROM {table}"));
            Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, problem.SqlState);
        }

        foreach (var function in new[] { "claim_datasets(1, 1)", "claim_removals(1, 1)", "claim_expired_uploads(1, 1)", "claim_stale_datasets(1, 1, 1)", "claim_photo_checks(1, 1, 1)" })
        {
            var problem = await Assert.ThrowsAsync<PostgresException>(() => StoreChecks.QueryAsync(uploads.Postgres.App("uploads"), $"SELECT * FROM {function}"));
            Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, problem.SqlState);
        }
    }

    [Theory]
    [InlineData("superuser")]
    [InlineData("owner")]
    public async Task Service_WithARoleThatNoPolicyBinds_RefusesToStart(string role)
    {
        var connection = string.Equals(role, "owner", StringComparison.Ordinal) ? uploads.Postgres.Owner("uploads") : uploads.Postgres.Superuser("uploads");
        await using var service = uploads.Create(new Dictionary<string, string?>(StringComparer.Ordinal) { ["ConnectionStrings:uploads"] = connection });
        var problem = Assert.ThrowsAny<Exception>(service.StartServer);
        Assert.Contains("Row-level security would not bind it", problem.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Model_AndMigrations_Agree()
    {
        var options = new Microsoft.EntityFrameworkCore.DbContextOptionsBuilder<UploadsContext>();
        Microsoft.EntityFrameworkCore.NpgsqlDbContextOptionsBuilderExtensions.UseNpgsql(options, uploads.Postgres.Owner("uploads"));
        options.UseTenantNames();
        await using var context = new UploadsContext(options.Options);
        Assert.False(Microsoft.EntityFrameworkCore.RelationalDatabaseFacadeExtensions.HasPendingModelChanges(context.Database));
    }

    private async Task<long> CountAsync(string table, Guid? account)
    {
        await using var source = NpgsqlDataSource.Create(uploads.Postgres.App("uploads"));
        await using var connection = await source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        if (account is { } id)
        {
            await using var set = new NpgsqlCommand("SELECT set_config('flurrty.account_id', $1, true)", connection) { Parameters = { new() { Value = id.ToString() } } };
            _ = await set.ExecuteNonQueryAsync();
        }

        await using var count = new NpgsqlCommand($"SELECT count(*) FROM {table}", connection);
        return (long)(await count.ExecuteScalarAsync())!;
    }

    private static async Task<int> InsertAsync(NpgsqlDataSource source, Guid actingAs, Guid rowOf)
    {
        await using var connection = await source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var set = new NpgsqlCommand("SELECT set_config('flurrty.account_id', $1, true)", connection) { Parameters = { new() { Value = actingAs.ToString() } } };
        _ = await set.ExecuteNonQueryAsync();
        await using var insert = new NpgsqlCommand("INSERT INTO photo_sets (id, account_id, name) VALUES ($1, $2, 'x')", connection)
        {
            Parameters = { new() { Value = Guid.NewGuid() }, new() { Value = rowOf } },
        };
        return await insert.ExecuteNonQueryAsync();
    }
}
