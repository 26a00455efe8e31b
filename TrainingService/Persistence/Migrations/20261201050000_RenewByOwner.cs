using Flurrty.ServiceDefaults.Data;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Flurrty.TrainingService.Persistence.Migrations
{
    /// <inheritdoc />
    public partial class RenewByOwner : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            // Says whose lease was renewed: one process may know an old lease and a new one of the same job.
            migrationBuilder.Sql("DROP FUNCTION renew_jobs(uuid[], uuid[], interval)");
            migrationBuilder.CreateDispatcherFunction(
                "training",
                "renew_jobs(p_ids uuid[], p_owners uuid[], p_lease interval)",
                "TABLE (id uuid, owner uuid)",
                """
                UPDATE jobs o
                SET lease_until = GREATEST(o.lease_until, clock_timestamp() + p_lease)
                FROM unnest(p_ids, p_owners) AS held (id, owner)
                WHERE o.id = held.id AND o.lease_owner = held.owner
                RETURNING o.id, o.lease_owner
                """);

            migrationBuilder.Sql("CREATE INDEX ix_webhook_events_received_at ON webhook_events (received_at)");
            migrationBuilder.Sql("CREATE POLICY prune_deletes ON webhook_events FOR DELETE TO training_owner USING (true)");
            migrationBuilder.CreateDispatcherFunction(
                "training",
                "prune_webhook_events(older_than interval)",
                "void",
                "DELETE FROM webhook_events WHERE received_at < clock_timestamp() - older_than");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql("DROP FUNCTION prune_webhook_events(interval)");
            migrationBuilder.Sql("DROP POLICY prune_deletes ON webhook_events");
            migrationBuilder.Sql("DROP INDEX ix_webhook_events_received_at");
            migrationBuilder.Sql("DROP FUNCTION renew_jobs(uuid[], uuid[], interval)");
            migrationBuilder.CreateDispatcherFunction(
                "training",
                "renew_jobs(p_ids uuid[], p_owners uuid[], p_lease interval)",
                "TABLE (id uuid, account_id uuid)",
                """
                UPDATE jobs o
                SET lease_until = GREATEST(o.lease_until, clock_timestamp() + p_lease)
                FROM unnest(p_ids, p_owners) AS held (id, owner)
                WHERE o.id = held.id AND o.lease_owner = held.owner
                RETURNING o.id, o.account_id
                """);
        }
    }
}
