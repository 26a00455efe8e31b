using System;
using Flurrty.Messaging;
using Flurrty.ServiceDefaults.Data;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Flurrty.RegistryService.Persistence.Migrations
{
    /// <inheritdoc />
    public partial class CreateIdentities : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "identities",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    account_id = table.Column<Guid>(type: "uuid", nullable: false),
                    name = table.Column<string>(type: "text", nullable: false),
                    photo_set_id = table.Column<Guid>(type: "uuid", nullable: false),
                    customization = table.Column<string>(type: "json", nullable: true),
                    active_version_id = table.Column<Guid>(type: "uuid", nullable: false),
                    idempotency_key = table.Column<string>(type: "text", nullable: true),
                    idempotency_fingerprint = table.Column<string>(type: "text", nullable: true),
                    revision = table.Column<long>(type: "bigint", nullable: false),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    updated_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_identities", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "versions",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    account_id = table.Column<Guid>(type: "uuid", nullable: false),
                    identity_id = table.Column<Guid>(type: "uuid", nullable: false),
                    number = table.Column<int>(type: "integer", nullable: false),
                    model_id = table.Column<string>(type: "text", nullable: false),
                    status = table.Column<string>(type: "text", nullable: false),
                    stage = table.Column<string>(type: "text", nullable: true),
                    progress = table.Column<int>(type: "integer", nullable: false),
                    estimated_completion = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    provider = table.Column<string>(type: "text", nullable: false),
                    trained_by = table.Column<string>(type: "text", nullable: true),
                    preset = table.Column<string>(type: "text", nullable: false),
                    steps = table.Column<int>(type: "integer", nullable: false),
                    rank = table.Column<int>(type: "integer", nullable: false),
                    learning_rate = table.Column<double>(type: "double precision", nullable: true),
                    resolution = table.Column<string>(type: "text", nullable: false),
                    trigger_word = table.Column<string>(type: "text", nullable: false),
                    photo_count = table.Column<int>(type: "integer", nullable: false),
                    thumbnail_photo_id = table.Column<Guid>(type: "uuid", nullable: true),
                    training_revision = table.Column<long>(type: "bigint", nullable: false),
                    failure_category = table.Column<string>(type: "text", nullable: true),
                    failure_code = table.Column<string>(type: "text", nullable: true),
                    failure_retryable = table.Column<bool>(type: "boolean", nullable: true),
                    model_bytes = table.Column<long>(type: "bigint", nullable: true),
                    model_sha256 = table.Column<string>(type: "text", nullable: true),
                    trained_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    caused_by = table.Column<Guid>(type: "uuid", nullable: false),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    updated_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    next_look_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    changes = table.Column<int>(type: "integer", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_versions", x => x.id);
                    table.CheckConstraint("ck_versions_photo_count", "photo_count BETWEEN 3 AND 40");
                    table.CheckConstraint("ck_versions_ready", "status <> 'ready' OR (model_bytes IS NOT NULL AND model_sha256 IS NOT NULL)");
                    table.CheckConstraint("ck_versions_status", "status IN ('pending', 'training', 'ready', 'failed', 'canceled')");
                    table.ForeignKey(
                        name: "fk_versions_identities_identity_id",
                        column: x => x.identity_id,
                        principalTable: "identities",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "version_changes",
                columns: table => new
                {
                    version_id = table.Column<Guid>(type: "uuid", nullable: false),
                    number = table.Column<int>(type: "integer", nullable: false),
                    account_id = table.Column<Guid>(type: "uuid", nullable: false),
                    from_status = table.Column<string>(type: "text", nullable: true),
                    to_status = table.Column<string>(type: "text", nullable: false),
                    training_revision = table.Column<long>(type: "bigint", nullable: false),
                    failure_code = table.Column<string>(type: "text", nullable: true),
                    happened_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_version_changes", x => new { x.version_id, x.number });
                    table.ForeignKey(
                        name: "fk_version_changes_versions_version_id",
                        column: x => x.version_id,
                        principalTable: "versions",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateIndex(
                name: "ix_identities_account",
                table: "identities",
                columns: new[] { "account_id", "id" });

            migrationBuilder.CreateIndex(
                name: "ux_identities_idempotency",
                table: "identities",
                columns: new[] { "account_id", "idempotency_key" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_versions_next_look",
                table: "versions",
                column: "next_look_at",
                filter: "next_look_at IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ux_versions_model",
                table: "versions",
                column: "model_id",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ux_versions_number",
                table: "versions",
                columns: new[] { "identity_id", "number" },
                unique: true);

            foreach (var table in new[] { "identities", "versions", "version_changes" })
            {
                migrationBuilder.IsolateByAccount(table, "registry");
            }

            migrationBuilder.CreateMessaging("registry");
            migrationBuilder.CreateDispatcherFunction(
                "registry",
                "claim_quiet_versions(batch integer, resend_after interval, ask_after interval)",
                "TABLE (id uuid, account_id uuid)",
                """
                UPDATE versions v
                SET next_look_at = clock_timestamp() + CASE v.status WHEN 'pending' THEN resend_after ELSE ask_after END
                FROM (SELECT c.id FROM versions c
                      WHERE c.next_look_at <= clock_timestamp()
                      ORDER BY c.next_look_at LIMIT batch FOR UPDATE SKIP LOCKED) due
                WHERE v.id = due.id
                RETURNING v.id, v.account_id
                """);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql("""
                DROP FUNCTION claim_quiet_versions(integer, interval, interval);
                DROP FUNCTION claim_outbox(integer, integer);
                DROP FUNCTION prune_inbox(interval);
                DROP TABLE outbox_messages;
                DROP TABLE inbox_messages;
                """);

            migrationBuilder.DropTable(
                name: "version_changes");

            migrationBuilder.DropTable(
                name: "versions");

            migrationBuilder.DropTable(
                name: "identities");
        }
    }
}
