using Flurrty.ServiceDefaults.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Flurrty.Messaging;

/// <summary>The outbox and inbox tables of a service's database.</summary>
public static class MessagingModel
{
    /// <summary>Adds the outbox and the inbox to the model. Their tables are made by <see cref="CreateMessaging"/>.</summary>
    /// <param name="model">The model.</param>
    public static ModelBuilder AddMessaging(this ModelBuilder model)
    {
        ArgumentNullException.ThrowIfNull(model);
        model.Entity<OutboxMessage>(outbox =>
        {
            outbox.ToTable("outbox_messages", table => table.ExcludeFromMigrations());
            outbox.HasKey(message => message.Id);
            outbox.Property(message => message.Id).ValueGeneratedNever();
            outbox.Property(message => message.Sequence).ValueGeneratedOnAdd();
            outbox.Property(message => message.Body).HasColumnType("jsonb");
            outbox.Property(message => message.CreatedAt).HasDefaultValueSql("now()");
        });
        model.Entity<InboxMessage>(inbox =>
        {
            inbox.ToTable("inbox_messages", table => table.ExcludeFromMigrations());
            inbox.HasKey(message => new { message.AccountId, message.MessageId, message.Consumer });
        });
        return model;
    }

    /// <summary>Creates both tables with their row-level security, rights and dispatcher functions.</summary>
    /// <param name="migration">The service's first migration.</param>
    /// <param name="database">Name of the database, the prefix of its roles.</param>
    public static void CreateMessaging(this MigrationBuilder migration, string database)
    {
        ArgumentNullException.ThrowIfNull(migration);
        migration.Sql("""
            CREATE TABLE outbox_messages (
                id uuid PRIMARY KEY,
                account_id uuid NOT NULL,
                sequence bigint GENERATED ALWAYS AS IDENTITY,
                queue text,
                type text NOT NULL,
                body jsonb NOT NULL,
                trace_parent text,
                created_at timestamptz NOT NULL DEFAULT now(),
                claimed_until timestamptz,
                attempts integer NOT NULL DEFAULT 0);
            CREATE INDEX ix_outbox_messages_sequence ON outbox_messages (sequence);
            CREATE TABLE inbox_messages (
                account_id uuid NOT NULL,
                message_id uuid NOT NULL,
                consumer text NOT NULL,
                received_at timestamptz NOT NULL DEFAULT now(),
                PRIMARY KEY (account_id, message_id, consumer));
            CREATE INDEX ix_inbox_messages_received_at ON inbox_messages (received_at);
            """);
        migration.IsolateByAccount("outbox_messages", database);
        migration.IsolateByAccount("inbox_messages", database);
        migration.Sql($"CREATE POLICY prune_deletes ON inbox_messages FOR DELETE TO {database}_owner USING (true);");
        migration.CreateDispatcherFunction(database, "claim_outbox(batch integer, lease_seconds integer)", "TABLE (id uuid, account_id uuid)", """
            UPDATE outbox_messages o
            SET claimed_until = clock_timestamp() + make_interval(secs => lease_seconds), attempts = o.attempts + 1
            FROM (SELECT c.id FROM outbox_messages c
                  WHERE c.claimed_until IS NULL OR c.claimed_until < clock_timestamp()
                  ORDER BY c.sequence LIMIT batch FOR UPDATE SKIP LOCKED) due
            WHERE o.id = due.id
            RETURNING o.id, o.account_id
            """);
        migration.CreateDispatcherFunction(database, "prune_inbox(older_than interval)", "void", """
            DELETE FROM inbox_messages WHERE received_at < now() - older_than
            """);
    }
}
