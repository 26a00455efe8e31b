using Flurrty.Migrations;
using Flurrty.NativeInfrastructure;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Flurrty.Architecture.Tests;

/// <summary>Every schema, as the migrations really leave it.</summary>
public sealed class SchemaTests : IAsyncLifetime
{
    private NativePostgres _postgres = null!;

    public async Task InitializeAsync() => _postgres = await NativePostgres.StartAsync([.. Schemas.All.Select(schema => schema.Database)]);

    public async Task DisposeAsync() => await _postgres.DisposeAsync();

    [Fact]
    public async Task Migrate_EmptyDatabasesThenAgain_BindsEveryTenantTable()
    {
        Assert.Equal(MigrationOutcome.Migrated, await Migrator().MigrateAsync(Schemas.All, CancellationToken.None));
        Assert.Equal(MigrationOutcome.Migrated, await Migrator().MigrateAsync(Schemas.All, CancellationToken.None));
        foreach (var database in Schemas.All.Select(schema => schema.Database))
        {
            var tables = await TablesAsync(database);
            Assert.NotEmpty(tables);
            foreach (var table in tables)
            {
                Assert.True(table.HasAccount, $"{database}.{table.Name} says not whose its rows are.");
                Assert.True(table.IsForced, $"{database}.{table.Name} has no forced row-level security.");
                Assert.True(table.HasPolicy, $"{database}.{table.Name} has no policy that compares the account.");
                Assert.True(await IsRefusedAsync(_postgres.Dispatcher(database), $"SELECT 1 FROM {table.Name}"), $"The dispatcher may read {database}.{table.Name}.");
            }

            Assert.True(await IsRefusedAsync(_postgres.App(database), "CREATE TABLE mine (id int)"), $"The app role may make tables in {database}.");
        }
    }

    [Fact]
    public async Task Migrate_WithoutItsConnections_Fails() =>
        Assert.Equal(
            MigrationOutcome.Failed,
            await new Migrator(new ConfigurationBuilder().Build(), Options.Create(new MigratorOptions()), TimeProvider.System, TextWriter.Null, NullLogger<Migrator>.Instance)
                .MigrateAsync(Schemas.All, CancellationToken.None));

    /// <summary>As a commit left it whose migration was renamed later: the rest of its schema is of no importance.</summary>
    [Fact]
    public async Task Migrate_HistoryThatDoesNotLeadHere_IsRefusedAndNothingIsChanged()
    {
        var uploads = Schemas.All.Single(static schema => schema.Database == "uploads");
        await WriteHistoryAsync("uploads", uploads.Migrations[0], "20261120231410_ConsentsAndPendingUploads");
        using var said = new StringWriter();

        Assert.Equal(MigrationOutcome.Refused, await Migrator(said, "/somewhere/.data").MigrateAsync(Schemas.All, CancellationToken.None));

        var sentence = Assert.Single(said.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("migrations: The database uploads ", sentence, StringComparison.Ordinal);
        Assert.Contains("20261120231410_ConsentsAndPendingUploads", sentence, StringComparison.Ordinal);
        Assert.Contains("rm -rf '/somewhere/.data'", sentence, StringComparison.Ordinal);
        foreach (var database in Schemas.All.Select(static schema => schema.Database))
        {
            Assert.Empty(await TablesAsync(database));
        }
    }

    [Fact]
    public async Task Migrate_TablesThatNoHistoryTellsOf_IsRefused()
    {
        await ExecuteAsync("registry", "CREATE TABLE identities (id int)");
        using var said = new StringWriter();

        Assert.Equal(MigrationOutcome.Refused, await Migrator(said, "/somewhere/.data").MigrateAsync(Schemas.All, CancellationToken.None));

        Assert.StartsWith("migrations: The database registry ", said.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Migrate_EarlierHistory_IsBroughtToThePresent()
    {
        var uploads = Schemas.All.Single(static schema => schema.Database == "uploads");
        await using (var source = NpgsqlDataSource.Create(_postgres.Owner("uploads")))
        await using (var context = uploads.Open(source))
        {
            await context.GetService<IMigrator>().MigrateAsync(uploads.Migrations[0]);
        }

        Assert.Equal(MigrationOutcome.Migrated, await Migrator().MigrateAsync(Schemas.All, CancellationToken.None));

        Assert.Equal(uploads.Migrations, await HistoryAsync("uploads"));
    }

    [Fact]
    public async Task Migrate_NewerHistory_IsLeftAsItIs()
    {
        Assert.Equal(MigrationOutcome.Migrated, await Migrator().MigrateAsync(Schemas.All, CancellationToken.None));
        await WriteHistoryAsync("training", "29991231235959_Later");

        Assert.Equal(MigrationOutcome.Migrated, await Migrator().MigrateAsync(Schemas.All, CancellationToken.None));

        Assert.Contains("29991231235959_Later", await HistoryAsync("training"));
    }

    [Fact]
    public async Task Migrate_ServerThatNeverAnswers_GivesUp()
    {
        var settings = Schemas.All.ToDictionary(
            schema => $"ConnectionStrings:{schema.Database}-owner", _ => (string?)"Host=127.0.0.1;Port=1;Username=x;Password=x", StringComparer.Ordinal);
        var migrator = new Migrator(
            new ConfigurationBuilder().AddInMemoryCollection(settings).Build(),
            Options.Create(new MigratorOptions { Patience = TimeSpan.FromMilliseconds(600) }),
            TimeProvider.System,
            TextWriter.Null,
            NullLogger<Migrator>.Instance);
        Assert.Equal(MigrationOutcome.Failed, await migrator.MigrateAsync(Schemas.All, CancellationToken.None));
    }

    private static async Task<bool> IsRefusedAsync(string connection, string sql)
    {
        await using var source = NpgsqlDataSource.Create(connection);
        await using var command = source.CreateCommand(sql);
        try
        {
            await command.ExecuteScalarAsync();
            return false;
        }
        catch (PostgresException refusal) when (refusal.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            return true;
        }
    }

    private async Task<IReadOnlyList<Table>> TablesAsync(string database)
    {
        await using var source = NpgsqlDataSource.Create(_postgres.Superuser(database));
        await using var command = source.CreateCommand("""
            SELECT c.relname,
                   EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'account_id' AND a.attnotnull),
                   c.relrowsecurity AND c.relforcerowsecurity,
                   EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND pg_get_expr(p.polqual, p.polrelid) LIKE '%flurrty.account_id%')
            FROM pg_class c
            WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND c.relname <> '__EFMigrationsHistory'
            ORDER BY 1
            """);
        await using var reader = await command.ExecuteReaderAsync();
        var tables = new List<Table>();
        while (await reader.ReadAsync())
        {
            tables.Add(new Table(reader.GetString(0), reader.GetBoolean(1), reader.GetBoolean(2), reader.GetBoolean(3)));
        }

        return tables;
    }

    private Task WriteHistoryAsync(string database, params string[] migrations) => ExecuteAsync(
        database,
        $"""
        CREATE TABLE IF NOT EXISTS "__EFMigrationsHistory" ("MigrationId" varchar(150) PRIMARY KEY, "ProductVersion" varchar(32) NOT NULL);
        INSERT INTO "__EFMigrationsHistory" VALUES {string.Join(", ", migrations.Select(static migration => $"('{migration}', '10.0.0')"))}
        """);

    private async Task<List<string>> HistoryAsync(string database)
    {
        await using var source = NpgsqlDataSource.Create(_postgres.Owner(database));
        await using var command = source.CreateCommand("""SELECT "MigrationId" FROM "__EFMigrationsHistory" ORDER BY 1""");
        await using var reader = await command.ExecuteReaderAsync();
        var history = new List<string>();
        while (await reader.ReadAsync())
        {
            history.Add(reader.GetString(0));
        }

        return history;
    }

    private async Task ExecuteAsync(string database, string sql)
    {
        await using var source = NpgsqlDataSource.Create(_postgres.Owner(database));
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private Migrator Migrator(TextWriter? said = null, string? dataDirectory = null) => new(
        new ConfigurationBuilder().AddInMemoryCollection(Schemas.All.ToDictionary(
            schema => $"ConnectionStrings:{schema.Database}-owner", schema => (string?)_postgres.Owner(schema.Database), StringComparer.Ordinal)).Build(),
        Options.Create(new MigratorOptions { DataDirectory = dataDirectory }),
        TimeProvider.System,
        said ?? TextWriter.Null,
        NullLogger<Migrator>.Instance);

    private sealed record Table(string Name, bool HasAccount, bool IsForced, bool HasPolicy);
}
