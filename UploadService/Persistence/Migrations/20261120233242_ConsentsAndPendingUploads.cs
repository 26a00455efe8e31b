using System;
using Flurrty.ServiceDefaults.Data;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Flurrty.UploadService.Persistence.Migrations
{
    /// <inheritdoc />
    internal partial class ConsentsAndPendingUploads : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "built_at",
                table: "seals",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.AddColumn<Guid>(
                name: "consent_id",
                table: "seals",
                type: "uuid",
                nullable: true);

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "checked_at",
                table: "photos",
                type: "timestamp with time zone",
                nullable: false,
                defaultValueSql: "now()");

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "missing_since",
                table: "photos",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.CreateTable(
                name: "consents",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    account_id = table.Column<Guid>(type: "uuid", nullable: false),
                    photo_set_id = table.Column<Guid>(type: "uuid", nullable: false),
                    text_version = table.Column<string>(type: "character varying(50)", maxLength: 50, nullable: false),
                    text_sha256 = table.Column<string>(type: "text", nullable: false),
                    address = table.Column<string>(type: "character varying(45)", maxLength: 45, nullable: true),
                    given_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false, defaultValueSql: "now()")
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_consents", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "pending_uploads",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    account_id = table.Column<Guid>(type: "uuid", nullable: false),
                    photo_set_id = table.Column<Guid>(type: "uuid", nullable: false),
                    way = table.Column<string>(type: "text", nullable: false),
                    file_name = table.Column<string>(type: "character varying(200)", maxLength: 200, nullable: true),
                    content_type = table.Column<string>(type: "character varying(100)", maxLength: 100, nullable: true),
                    metadata = table.Column<string>(type: "text", nullable: true),
                    bytes = table.Column<long>(type: "bigint", nullable: false),
                    sha256 = table.Column<string>(type: "text", nullable: true),
                    received = table.Column<long>(type: "bigint", nullable: false),
                    writes = table.Column<int>(type: "integer", nullable: false),
                    parts = table.Column<int[]>(type: "integer[]", nullable: false),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false, defaultValueSql: "now()"),
                    expires_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    photo_id = table.Column<Guid>(type: "uuid", nullable: true),
                    refusal = table.Column<string>(type: "text", nullable: true),
                    claimed_until = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_pending_uploads", x => x.id);
                    table.ForeignKey(
                        name: "fk_pending_uploads_photo_sets_account_id_photo_set_id",
                        columns: x => new { x.account_id, x.photo_set_id },
                        principalTable: "photo_sets",
                        principalColumns: new[] { "account_id", "id" },
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateIndex(
                name: "ix_seals_built_at",
                table: "seals",
                column: "built_at",
                filter: "state = 'Built'");

            migrationBuilder.CreateIndex(
                name: "ix_seals_consent_id",
                table: "seals",
                column: "consent_id");

            migrationBuilder.CreateIndex(
                name: "ix_photos_checked_at",
                table: "photos",
                column: "checked_at");

            migrationBuilder.CreateIndex(
                name: "ix_consents_photo_set_id_text_version",
                table: "consents",
                columns: new[] { "photo_set_id", "text_version" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_pending_uploads_account_id_photo_set_id",
                table: "pending_uploads",
                columns: new[] { "account_id", "photo_set_id" });

            migrationBuilder.CreateIndex(
                name: "ix_pending_uploads_expires_at",
                table: "pending_uploads",
                column: "expires_at");

            migrationBuilder.AddForeignKey(
                name: "fk_seals_consents_consent_id",
                table: "seals",
                column: "consent_id",
                principalTable: "consents",
                principalColumn: "id",
                onDelete: ReferentialAction.Restrict);

            foreach (var table in new[] { "consents", "pending_uploads" })
            {
                migrationBuilder.IsolateByAccount(table, UploadsContext.Name);
            }

            migrationBuilder.CreateDispatcherFunction(UploadsContext.Name, "claim_expired_uploads(batch integer, lease_seconds integer)", "TABLE (id uuid, account_id uuid)", """
                UPDATE pending_uploads u
                SET claimed_until = clock_timestamp() + make_interval(secs => lease_seconds)
                FROM (SELECT c.id FROM pending_uploads c
                      WHERE c.expires_at <= clock_timestamp() AND (c.claimed_until IS NULL OR c.claimed_until < clock_timestamp())
                      ORDER BY c.expires_at LIMIT batch FOR UPDATE SKIP LOCKED) due
                WHERE u.id = due.id
                RETURNING u.id, u.account_id
                """);
            migrationBuilder.CreateDispatcherFunction(UploadsContext.Name, "claim_stale_datasets(batch integer, lease_seconds integer, age_seconds double precision)", "TABLE (id uuid, account_id uuid)", """
                UPDATE seals s
                SET claimed_until = clock_timestamp() + make_interval(secs => lease_seconds)
                FROM (SELECT c.id FROM seals c
                      WHERE c.state = 'Built' AND c.built_at <= clock_timestamp() - make_interval(secs => age_seconds)
                            AND (c.claimed_until IS NULL OR c.claimed_until < clock_timestamp())
                      ORDER BY c.built_at LIMIT batch FOR UPDATE SKIP LOCKED) due
                WHERE s.id = due.id
                RETURNING s.id, s.account_id
                """);
            migrationBuilder.CreateDispatcherFunction(UploadsContext.Name, "claim_photo_checks(batch integer, every_seconds double precision, again_seconds double precision)", "TABLE (id uuid, account_id uuid)", """
                UPDATE photos p
                SET checked_at = clock_timestamp()
                FROM (SELECT c.id FROM photos c
                      WHERE c.checked_at <= clock_timestamp() - make_interval(secs => CASE WHEN c.missing_since IS NULL THEN every_seconds ELSE again_seconds END)
                      ORDER BY c.checked_at LIMIT batch FOR UPDATE SKIP LOCKED) due
                WHERE p.id = due.id
                RETURNING p.id, p.account_id
                """);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql("""
                DROP FUNCTION claim_expired_uploads(integer, integer);
                DROP FUNCTION claim_stale_datasets(integer, integer, double precision);
                DROP FUNCTION claim_photo_checks(integer, double precision, double precision);
                """);
            migrationBuilder.DropForeignKey(
                name: "fk_seals_consents_consent_id",
                table: "seals");

            migrationBuilder.DropTable(
                name: "consents");

            migrationBuilder.DropTable(
                name: "pending_uploads");

            migrationBuilder.DropIndex(
                name: "ix_seals_built_at",
                table: "seals");

            migrationBuilder.DropIndex(
                name: "ix_seals_consent_id",
                table: "seals");

            migrationBuilder.DropIndex(
                name: "ix_photos_checked_at",
                table: "photos");

            migrationBuilder.DropColumn(
                name: "built_at",
                table: "seals");

            migrationBuilder.DropColumn(
                name: "consent_id",
                table: "seals");

            migrationBuilder.DropColumn(
                name: "checked_at",
                table: "photos");

            migrationBuilder.DropColumn(
                name: "missing_since",
                table: "photos");
        }
    }
}
