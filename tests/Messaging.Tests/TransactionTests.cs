using Flurrty.ServiceDefaults.Data;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Flurrty.Messaging.Tests;

/// <summary>What a deadlock or a lost connection ended is repeated where that is safe.</summary>
[Collection(Servers.Name)]
public sealed class TransactionTests(Servers servers)
{
    private static readonly Guid Account = Guid.NewGuid();

    [Fact]
    public async Task Transactions_ThatLockEachOtherOut_BothCommit()
    {
        var (first, second) = (await WriteNoteAsync(), await WriteNoteAsync());
        using var bothHoldOne = new Barrier(2);

        async Task LockAsync(Guid one, Guid other)
        {
            await using var db = Open();
            var isFirstTry = true;
            await db.AsAccountAsync(
                Account,
                async token =>
                {
                    await db.Database.ExecuteSqlAsync($"UPDATE notes SET text = text || '+' WHERE id = {one}", token);
                    if (isFirstTry)
                    {
                        isFirstTry = false;
                        Assert.True(await Task.Run(() => bothHoldOne.SignalAndWait(Deadline.Step, token), token));
                    }

                    await db.Database.ExecuteSqlAsync($"UPDATE notes SET text = text || '+' WHERE id = {other}", token);
                },
                CancellationToken.None);
        }

        await Task.WhenAll(LockAsync(first, second), LockAsync(second, first)).WaitAsync(Deadline.Step);

        Assert.Equal(["note++", "note++"], [await ReadAsync(first), await ReadAsync(second)]);
    }

    [Fact]
    public async Task Transaction_WhoseConnectionIsLost_IsRepeatedFromItsBeginning()
    {
        var note = await WriteNoteAsync();
        await using var db = Open();
        var tries = 0;
        await db.AsAccountAsync(
            Account,
            async token =>
            {
                var row = await db.Notes.SingleAsync(row => row.Id == note, token);
                db.Entry(row).Property(nameof(Note.Text)).CurrentValue = row.Text + "+";
                if (++tries == 1)
                {
                    await EndConnectionAsync(db, token);
                }

                await db.SaveChangesAsync(token);
            },
            CancellationToken.None);

        Assert.Equal((2, "note+"), (tries, await ReadAsync(note)));
    }

    [Fact]
    public async Task Transaction_OfAContextThatTracksSomething_IsNotRepeatedAndTellsWhy()
    {
        await using var db = Open();
        db.Attach(new Note { Id = Guid.NewGuid(), AccountId = Account });
        var tries = 0;

        var failure = await Assert.ThrowsAnyAsync<Exception>(() => db.AsAccountAsync(
            Account,
            async token =>
            {
                tries++;
                await EndConnectionAsync(db, token);
                _ = await db.Notes.CountAsync(token);
            },
            CancellationToken.None));

        Assert.Equal(1, tries);
        Assert.True(failure.IsTransientDatabaseFailure(), failure.ToString());
    }

    [Fact]
    public async Task Failure_ThatWouldComeAgain_IsNotRepeated()
    {
        var note = await WriteNoteAsync();
        await using var db = Open();
        var tries = 0;

        var failure = await Assert.ThrowsAnyAsync<Exception>(() => db.AsAccountAsync(
            Account,
            async token =>
            {
                tries++;
                db.Add(new Note { Id = note, AccountId = Account });
                await db.SaveChangesAsync(token);
            },
            CancellationToken.None));

        Assert.Equal(1, tries);
        Assert.False(failure.IsTransientDatabaseFailure(), failure.ToString());
    }

    private async Task EndConnectionAsync(NotesContext db, CancellationToken cancellationToken)
    {
        var process = (await db.Database.SqlQuery<int>($"SELECT pg_backend_pid() AS \"Value\"").ToListAsync(cancellationToken)).Single();
        await using var source = NpgsqlDataSource.Create(servers.Database.Superuser(NotesContext.Name));
        await using var command = source.CreateCommand("SELECT pg_terminate_backend($1, 30000)");
        command.Parameters.Add(new NpgsqlParameter { Value = process });
        Assert.Equal(true, await command.ExecuteScalarAsync(cancellationToken));
    }

    private NotesContext Open() => new(new DbContextOptionsBuilder<NotesContext>().UseNpgsql(servers.Database.App(NotesContext.Name)).UseTenantNames().Options);

    private async Task<Guid> WriteNoteAsync()
    {
        var note = new Note { Id = Guid.NewGuid(), AccountId = Account, Text = "note" };
        await using var db = Open();
        await db.AsAccountAsync(
            Account,
            token =>
            {
                db.Add(note);
                return db.SaveChangesAsync(token);
            },
            CancellationToken.None);
        return note.Id;
    }

    private async Task<string> ReadAsync(Guid note)
    {
        await using var source = NpgsqlDataSource.Create(servers.Database.Superuser(NotesContext.Name));
        await using var command = source.CreateCommand("SELECT text FROM notes WHERE id = $1");
        command.Parameters.Add(new NpgsqlParameter { Value = note });
        return (string)(await command.ExecuteScalarAsync())!;
    }
}
