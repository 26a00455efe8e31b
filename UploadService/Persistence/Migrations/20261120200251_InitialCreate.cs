using System;
using Flurrty.Messaging;
using Flurrty.ServiceDefaults.Data;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Flurrty.UploadService.Persistence.Migrations
{
    /// <inheritdoc />
    internal partial class InitialCreate : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "datasets",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    account_id = table.Column<Guid>(type: "uuid", nullable: false),
                    content_sha256 = table.Column<string>(type: "text", nullable: false),
                    object_key = table.Column<string>(type: "text", nullable: false),
                    bytes = table.Column<long>(type: "bigint", nullable: false),
                    sha256 = table.Column<string>(type: "text", nullable: false),
                    photos = table.Column<int>(type: "integer", nullable: false),
                    built_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false, defaultValueSql: "now()")
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_datasets", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "photo_sets",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    account_id = table.Column<Guid>(type: "uuid", nullable: false),
                    name = table.Column<string>(type: "character varying(100)", maxLength: 100, nullable: false),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false, defaultValueSql: "now()")
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_photo_sets", x => x.id);
                    table.UniqueConstraint("ak_photo_sets_account_id_id", x => new { x.account_id, x.id });
                });

            migrationBuilder.CreateTable(
                name: "scheduled_removals",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    account_id = table.Column<Guid>(type: "uuid", nullable: false),
                    object_key = table.Column<string>(type: "text", nullable: false),
                    photo_id = table.Column<Guid>(type: "uuid", nullable: true),
                    due_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    claimed_until = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_scheduled_removals", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "seals",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    account_id = table.Column<Guid>(type: "uuid", nullable: false),
                    photo_set_id = table.Column<Guid>(type: "uuid", nullable: false),
                    trigger_word = table.Column<string>(type: "text", nullable: false),
                    photo_count = table.Column<int>(type: "integer", nullable: false),
                    thumbnail_photo_id = table.Column<Guid>(type: "uuid", nullable: false),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false, defaultValueSql: "now()"),
                    state = table.Column<string>(type: "text", nullable: false),
                    dataset_id = table.Column<Guid>(type: "uuid", nullable: true),
                    refusal_code = table.Column<string>(type: "text", nullable: true),
                    caused_by = table.Column<Guid>(type: "uuid", nullable: false),
                    revision = table.Column<long>(type: "bigint", nullable: false),
                    trace_parent = table.Column<string>(type: "text", nullable: true),
                    claimed_until = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    claims = table.Column<int>(type: "integer", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_seals", x => x.id);
                    table.UniqueConstraint("ak_seals_account_id_id", x => new { x.account_id, x.id });
                    table.ForeignKey(
                        name: "fk_seals_datasets_dataset_id",
                        column: x => x.dataset_id,
                        principalTable: "datasets",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Restrict);
                });

            migrationBuilder.CreateTable(
                name: "photos",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    account_id = table.Column<Guid>(type: "uuid", nullable: false),
                    photo_set_id = table.Column<Guid>(type: "uuid", nullable: false),
                    file_name = table.Column<string>(type: "character varying(200)", maxLength: 200, nullable: true),
                    source_sha256 = table.Column<string>(type: "text", nullable: false),
                    source_bytes = table.Column<long>(type: "bigint", nullable: false),
                    source_format = table.Column<string>(type: "text", nullable: false),
                    source_width = table.Column<int>(type: "integer", nullable: false),
                    source_height = table.Column<int>(type: "integer", nullable: false),
                    sha256 = table.Column<string>(type: "text", nullable: false),
                    crc32 = table.Column<long>(type: "bigint", nullable: false),
                    bytes = table.Column<long>(type: "bigint", nullable: false),
                    thumbnail_bytes = table.Column<long>(type: "bigint", nullable: false),
                    width = table.Column<int>(type: "integer", nullable: false),
                    height = table.Column<int>(type: "integer", nullable: false),
                    caption = table.Column<string>(type: "character varying(1000)", maxLength: 1000, nullable: true),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false, defaultValueSql: "now()")
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_photos", x => x.id);
                    table.ForeignKey(
                        name: "fk_photos_photo_sets_account_id_photo_set_id",
                        columns: x => new { x.account_id, x.photo_set_id },
                        principalTable: "photo_sets",
                        principalColumns: new[] { "account_id", "id" },
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "sealed_photos",
                columns: table => new
                {
                    seal_id = table.Column<Guid>(type: "uuid", nullable: false),
                    position = table.Column<int>(type: "integer", nullable: false),
                    account_id = table.Column<Guid>(type: "uuid", nullable: false),
                    photo_id = table.Column<Guid>(type: "uuid", nullable: false),
                    object_key = table.Column<string>(type: "text", nullable: false),
                    bytes = table.Column<long>(type: "bigint", nullable: false),
                    sha256 = table.Column<string>(type: "text", nullable: false),
                    crc32 = table.Column<long>(type: "bigint", nullable: false),
                    caption = table.Column<string>(type: "text", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_sealed_photos", x => new { x.seal_id, x.position });
                    table.ForeignKey(
                        name: "fk_sealed_photos_seals_account_id_seal_id",
                        columns: x => new { x.account_id, x.seal_id },
                        principalTable: "seals",
                        principalColumns: new[] { "account_id", "id" },
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateIndex(
                name: "ix_datasets_account_id_content_sha256",
                table: "datasets",
                columns: new[] { "account_id", "content_sha256" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_photos_account_id_photo_set_id",
                table: "photos",
                columns: new[] { "account_id", "photo_set_id" });

            migrationBuilder.CreateIndex(
                name: "ix_photos_photo_set_id_source_sha256",
                table: "photos",
                columns: new[] { "photo_set_id", "source_sha256" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_scheduled_removals_due_at",
                table: "scheduled_removals",
                column: "due_at");

            migrationBuilder.CreateIndex(
                name: "ix_scheduled_removals_photo_id",
                table: "scheduled_removals",
                column: "photo_id");

            migrationBuilder.CreateIndex(
                name: "ix_sealed_photos_account_id_seal_id",
                table: "sealed_photos",
                columns: new[] { "account_id", "seal_id" });

            migrationBuilder.CreateIndex(
                name: "ix_sealed_photos_object_key",
                table: "sealed_photos",
                column: "object_key");

            migrationBuilder.CreateIndex(
                name: "ix_seals_created_at",
                table: "seals",
                column: "created_at",
                filter: "state = 'Requested'");

            migrationBuilder.CreateIndex(
                name: "ix_seals_dataset_id",
                table: "seals",
                column: "dataset_id");

            foreach (var table in new[] { "photo_sets", "photos", "datasets", "seals", "sealed_photos", "scheduled_removals" })
            {
                migrationBuilder.IsolateByAccount(table, UploadsContext.Name);
            }

            migrationBuilder.CreateMessaging(UploadsContext.Name);
            migrationBuilder.CreateDispatcherFunction(UploadsContext.Name, "claim_removals(batch integer, lease_seconds integer)", "TABLE (id uuid, account_id uuid)", """
                UPDATE scheduled_removals r
                SET claimed_until = clock_timestamp() + make_interval(secs => lease_seconds)
                FROM (SELECT c.id FROM scheduled_removals c
                      WHERE c.due_at <= clock_timestamp() AND (c.claimed_until IS NULL OR c.claimed_until < clock_timestamp())
                      ORDER BY c.due_at LIMIT batch FOR UPDATE SKIP LOCKED) due
                WHERE r.id = due.id
                RETURNING r.id, r.account_id
                """);
            migrationBuilder.CreateDispatcherFunction(UploadsContext.Name, "claim_datasets(batch integer, lease_seconds integer)", "TABLE (id uuid, account_id uuid)", """
                UPDATE seals s
                SET claimed_until = clock_timestamp() + make_interval(secs => lease_seconds), claims = s.claims + 1
                FROM (SELECT c.id FROM seals c
                      WHERE c.state = 'Requested' AND (c.claimed_until IS NULL OR c.claimed_until < clock_timestamp())
                      ORDER BY c.created_at LIMIT batch FOR UPDATE SKIP LOCKED) due
                WHERE s.id = due.id
                RETURNING s.id, s.account_id
                """);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "photos");

            migrationBuilder.DropTable(
                name: "scheduled_removals");

            migrationBuilder.DropTable(
                name: "sealed_photos");

            migrationBuilder.DropTable(
                name: "photo_sets");

            migrationBuilder.DropTable(
                name: "seals");

            migrationBuilder.DropTable(
                name: "datasets");
        }
    }
}
