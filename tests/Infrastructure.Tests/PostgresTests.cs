using System.Diagnostics;
using System.Globalization;
using Npgsql;

namespace Flurrty.Infrastructure.Tests;

public sealed class PostgresTests : NativeServerRules
{
    protected override string RequiredVariable => "FLURRTY_PG_TRAINING_APP_PASSWORD";

    internal override NativeServer Create() => new PostgresServer();

    [Fact]
    public async Task Roles_OfOneDatabase_ReachNoOtherAndHaveNoPowers()
    {
        await using var server = new PostgresServer();
        await server.StartAsync();

        Assert.Null(await server.RefusalAsync("uploads_owner", "uploads", "CREATE TABLE photo (id int)"));
        foreach (var role in (string[])["uploads_owner", "uploads_app", "uploads_dispatcher"])
        {
            Assert.Null(await server.RefusalAsync(role, "uploads", "SELECT 1"));
            foreach (var other in (string[])["training", "postgres", "template1"])
            {
                Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, await server.RefusalAsync(role, other, "SELECT 1"));
            }

            Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, await server.RefusalAsync(role, "uploads", "CREATE ROLE intruder"));
            Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, await server.RefusalAsync(role, "uploads", "CREATE DATABASE intruder"));
            Assert.Equal(false, await server.ScalarAsync(role, "uploads", "SELECT rolsuper OR rolbypassrls OR rolreplication FROM pg_roles WHERE rolname = current_user"));
        }

        foreach (var role in (string[])["uploads_app", "uploads_dispatcher"])
        {
            Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, await server.RefusalAsync(role, "uploads", "CREATE TABLE public.intruder (id int)"));
            Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, await server.RefusalAsync(role, "uploads", "SELECT * FROM photo"));
        }
    }

    [Fact]
    public async Task Start_Again_KeepsRowsAndTakesNewPasswordsOnly()
    {
        await using var server = new PostgresServer();
        await server.StartAsync();
        await server.ScalarAsync("uploads_owner", "uploads", "CREATE TABLE kept AS SELECT 7 AS value");
        await server.StopAsync();

        server.Generation = "second";
        await server.StartAsync();

        Assert.Equal(7, await server.ScalarAsync("uploads_owner", "uploads", "SELECT value FROM kept"));
        Assert.Null(await server.RefusalAsync("postgres", "postgres", "SELECT 1"));
        server.Generation = "first";
        Assert.Equal(PostgresErrorCodes.InvalidPassword, await server.RefusalAsync("uploads_owner", "uploads", "SELECT 1"));
        Assert.Equal(PostgresErrorCodes.InvalidPassword, await server.RefusalAsync("postgres", "postgres", "SELECT 1"));
    }

    [Fact]
    public async Task Kill_WhileWriting_EveryCommittedRowIsThere()
    {
        await using var server = new PostgresServer();
        await server.StartAsync();
        await server.ScalarAsync("uploads_owner", "uploads", "CREATE TABLE written (value int)");
        var committed = 0;
        var writer = Task.Run(async () =>
        {
            await using var connection = await server.ConnectAsync("uploads_owner", "uploads");
            while (true)
            {
                await using var insert = new NpgsqlCommand("INSERT INTO written VALUES ($1)", connection) { Parameters = { new() { Value = committed + 1 } } };
                await insert.ExecuteNonQueryAsync();
                committed++;
            }
        });
        while (Volatile.Read(ref committed) < 50)
        {
            Assert.False(writer.IsCompleted, writer.Exception?.ToString());
            await Task.Delay(10);
        }

        await server.KillEverythingAsync();
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => writer);
        await server.StartAsync();

        var found = (long)(await server.ScalarAsync("uploads_owner", "uploads", "SELECT count(*) FROM written"))!;
        Assert.InRange(found, committed, committed + 1);
    }

    [Fact]
    public async Task Start_StalePidFileOfALivingProcess_IsNoObstacle()
    {
        await using var server = new PostgresServer();
        await server.StartAsync();
        var file = Path.Combine(server.Data, "cluster", "postmaster.pid");
        var text = await File.ReadAllLinesAsync(file);
        await server.StopAsync();
        // PostgreSQL takes such a file seriously if the process exists and belongs to the user it runs as.
        using var other = Process.Start("setpriv", ["--reuid", await server.OwnerAsync(), "sleep", "600"]);
        text[0] = other.Id.ToString(CultureInfo.InvariantCulture);
        await File.WriteAllLinesAsync(file, text);

        await server.StartAsync();

        Assert.False(other.HasExited);
        other.Kill();
    }

    [Fact]
    public async Task Start_DataOfAVersionThatIsNotThere_IsRefusedWithWhatToDo()
    {
        await using var server = new PostgresServer();
        await server.StartAsync();
        await server.StopAsync();
        await File.WriteAllTextAsync(Path.Combine(server.Data, "cluster", "PG_VERSION"), "9\n");

        Assert.Equal(65, await server.RunToEndAsync());

        Assert.Contains("was made by PostgreSQL 9, which is not installed: install postgresql-9, or", server.Output, StringComparison.Ordinal);
        Assert.Contains("rm -rf '", server.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Log_NeverHoldsAPassword()
    {
        await using var server = new PostgresServer();
        await server.StartAsync();

        Assert.DoesNotContain("quoted", server.Output, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task Start_AsRootBelowADirectoryClosedToOthers_LinksTheDataAndKeepsIt()
    {
        Skip.IfNot(Environment.IsPrivilegedProcess, "Only root runs the server as another user.");
        var closed = Directory.CreateTempSubdirectory("flurrty-test-");
        try
        {
            await using var server = new PostgresServer(closed.CreateSubdirectory("inner").FullName);
            await server.StartAsync();
            await server.ScalarAsync("uploads_owner", "uploads", "CREATE TABLE kept AS SELECT 7 AS value");
            Assert.StartsWith("/var/lib/flurrty/", new DirectoryInfo(server.Data).LinkTarget, StringComparison.Ordinal);
            await server.KillEverythingAsync();

            await server.StartAsync();

            Assert.Equal(7, await server.ScalarAsync("uploads_owner", "uploads", "SELECT value FROM kept"));
        }
        finally
        {
            closed.Delete(recursive: true);
        }
    }
}
