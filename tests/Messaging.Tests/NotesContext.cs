using Flurrty.ServiceDefaults.Data;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Flurrty.Messaging.Tests;

/// <summary>A service's database as small as can be: notes that belong to accounts.</summary>
public sealed class NotesContext(DbContextOptions<NotesContext> options) : DbContext(options)
{
    public const string Name = "notes";

    public DbSet<Note> Notes => Set<Note>();

    protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.AddMessaging();
}

public sealed class Note
{
    public Guid Id { get; init; }

    public Guid AccountId { get; init; }

    public string Text { get; init; } = "";
}

[DbContext(typeof(NotesContext))]
[Migration("20260101000000_CreateNotes")]
public sealed class CreateNotes : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        migrationBuilder.Sql("CREATE TABLE notes (id uuid PRIMARY KEY, account_id uuid NOT NULL, text text NOT NULL);");
        migrationBuilder.IsolateByAccount("notes", NotesContext.Name);
        migrationBuilder.CreateMessaging(NotesContext.Name);
    }
}

/// <summary>Command: write this note.</summary>
public sealed record WriteNote
{
    public required Guid AccountId { get; init; }

    public required Guid NoteId { get; init; }

    public required string Text { get; init; }
}

/// <summary>Writes the note; a second one with the same id would violate the key.</summary>
public sealed class WriteNoteConsumer(NotesContext db) : AccountConsumer<WriteNote, NotesContext>(db)
{
    protected override Guid AccountOf(WriteNote message) => message.AccountId;

    protected override Task HandleAsync(WriteNote message, CancellationToken cancellationToken)
    {
        Db.Notes.Add(new Note { Id = message.NoteId, AccountId = message.AccountId, Text = message.Text });
        return Task.CompletedTask;
    }
}

public sealed class WriteNoteDefinition : ConsumerDefinition<WriteNoteConsumer>
{
    public WriteNoteDefinition() => EndpointName = Outbox.QueueOf<WriteNote>();
}
