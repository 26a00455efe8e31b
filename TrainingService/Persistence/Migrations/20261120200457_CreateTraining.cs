using System;
using Flurrty.Messaging;
using Flurrty.ServiceDefaults.Data;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Flurrty.TrainingService.Persistence.Migrations
{
    /// <inheritdoc />
    public partial class CreateTraining : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "jobs",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    account_id = table.Column<Guid>(type: "uuid", nullable: false),
                    identity_id = table.Column<Guid>(type: "uuid", nullable: false),
                    caused_by = table.Column<Guid>(type: "uuid", nullable: false),
                    trace_parent = table.Column<string>(type: "text", nullable: true),
                    state = table.Column<string>(type: "character varying(32)", maxLength: 32, nullable: false),
                    revision = table.Column<long>(type: "bigint", nullable: false),
                    progress = table.Column<int>(type: "integer", nullable: false),
                    requested_provider = table.Column<string>(type: "text", nullable: false),
                    provider = table.Column<string>(type: "text", nullable: true),
                    trainer = table.Column<string>(type: "text", nullable: true),
                    preset = table.Column<string>(type: "text", nullable: false),
                    steps = table.Column<int>(type: "integer", nullable: false),
                    rank = table.Column<int>(type: "integer", nullable: false),
                    learning_rate = table.Column<double>(type: "double precision", nullable: true),
                    resolution = table.Column<string>(type: "text", nullable: false),
                    attempt_number = table.Column<int>(type: "integer", nullable: false),
                    attempts_before_retry = table.Column<int>(type: "integer", nullable: false),
                    retry_revision = table.Column<long>(type: "bigint", nullable: false),
                    stage_number = table.Column<int>(type: "integer", nullable: false),
                    state_since = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    failures = table.Column<int>(type: "integer", nullable: false),
                    dataset_asked_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    dataset_ready = table.Column<bool>(type: "boolean", nullable: false),
                    dataset_refused_code = table.Column<string>(type: "text", nullable: true),
                    dataset_photos = table.Column<int>(type: "integer", nullable: false),
                    dataset_bytes = table.Column<long>(type: "bigint", nullable: false),
                    cancel_requested_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    failure_category = table.Column<string>(type: "text", nullable: true),
                    failure_code = table.Column<string>(type: "text", nullable: true),
                    failure_retryable = table.Column<bool>(type: "boolean", nullable: false),
                    failure_detail = table.Column<string>(type: "text", nullable: true),
                    model_key = table.Column<string>(type: "text", nullable: true),
                    model_bytes = table.Column<long>(type: "bigint", nullable: true),
                    model_sha256 = table.Column<string>(type: "text", nullable: true),
                    model_warning = table.Column<string>(type: "text", nullable: true),
                    trained_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    estimated_completion = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    updated_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    lease_number = table.Column<long>(type: "bigint", nullable: false),
                    lease_owner = table.Column<Guid>(type: "uuid", nullable: true),
                    lease_instance = table.Column<int>(type: "integer", nullable: true),
                    lease_until = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    next_look_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    wakes = table.Column<long>(type: "bigint", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_jobs", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "attempts",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    account_id = table.Column<Guid>(type: "uuid", nullable: false),
                    job_id = table.Column<Guid>(type: "uuid", nullable: false),
                    number = table.Column<int>(type: "integer", nullable: false),
                    provider = table.Column<string>(type: "text", nullable: false),
                    state = table.Column<string>(type: "character varying(32)", maxLength: 32, nullable: false),
                    input_id = table.Column<string>(type: "text", nullable: true),
                    input_location = table.Column<string>(type: "text", nullable: true),
                    input_deleted_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    destination = table.Column<string>(type: "text", nullable: true),
                    trainer_version = table.Column<string>(type: "text", nullable: true),
                    posts = table.Column<int>(type: "integer", nullable: false),
                    destination_missing = table.Column<bool>(type: "boolean", nullable: false),
                    first_posted_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    posted_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    post_deadline_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    absent_reads = table.Column<int>(type: "integer", nullable: false),
                    webhook_token_hash = table.Column<byte[]>(type: "bytea", nullable: true),
                    run_id = table.Column<string>(type: "text", nullable: true),
                    provider_status = table.Column<string>(type: "text", nullable: true),
                    looked_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    run_started_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    run_ended_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    step = table.Column<int>(type: "integer", nullable: true),
                    log_bytes = table.Column<long>(type: "bigint", nullable: false),
                    stop_reason = table.Column<string>(type: "text", nullable: true),
                    stop_asked_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    output_version = table.Column<string>(type: "text", nullable: true),
                    billed_seconds = table.Column<double>(type: "double precision", nullable: true),
                    error_category = table.Column<string>(type: "text", nullable: true),
                    error_detail = table.Column<string>(type: "text", nullable: true),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    ended_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_attempts", x => x.id);
                    table.ForeignKey(
                        name: "fk_attempts_jobs_job_id",
                        column: x => x.job_id,
                        principalTable: "jobs",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "stages",
                columns: table => new
                {
                    job_id = table.Column<Guid>(type: "uuid", nullable: false),
                    number = table.Column<int>(type: "integer", nullable: false),
                    account_id = table.Column<Guid>(type: "uuid", nullable: false),
                    state = table.Column<string>(type: "character varying(32)", maxLength: 32, nullable: false),
                    attempt = table.Column<int>(type: "integer", nullable: false),
                    started_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    ended_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    tries = table.Column<int>(type: "integer", nullable: false),
                    bytes = table.Column<long>(type: "bigint", nullable: true),
                    provider_id = table.Column<string>(type: "text", nullable: true),
                    error_category = table.Column<string>(type: "text", nullable: true),
                    error_detail = table.Column<string>(type: "text", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_stages", x => new { x.job_id, x.number });
                    table.ForeignKey(
                        name: "fk_stages_jobs_job_id",
                        column: x => x.job_id,
                        principalTable: "jobs",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "webhook_events",
                columns: table => new
                {
                    attempt_id = table.Column<Guid>(type: "uuid", nullable: false),
                    webhook_id = table.Column<string>(type: "character varying(256)", maxLength: 256, nullable: false),
                    account_id = table.Column<Guid>(type: "uuid", nullable: false),
                    received_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_webhook_events", x => new { x.attempt_id, x.webhook_id });
                    table.ForeignKey(
                        name: "fk_webhook_events_attempts_attempt_id",
                        column: x => x.attempt_id,
                        principalTable: "attempts",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateIndex(
                name: "ix_attempts_job_id_number",
                table: "attempts",
                columns: new[] { "job_id", "number" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_attempts_webhook_token_hash",
                table: "attempts",
                column: "webhook_token_hash",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_jobs_account_id_created_at_id",
                table: "jobs",
                columns: new[] { "account_id", "created_at", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_jobs_next_look_at",
                table: "jobs",
                column: "next_look_at",
                filter: "next_look_at IS NOT NULL");

            migrationBuilder.CreateMessaging("training");
            migrationBuilder.IsolateByAccount("jobs", "training");
            migrationBuilder.IsolateByAccount("attempts", "training");
            migrationBuilder.IsolateByAccount("stages", "training");
            migrationBuilder.IsolateByAccount("webhook_events", "training");

            // A lease is free when it ran out, and at once when its instance no longer holds its lock (1179406932 = 0x464C5254).
            migrationBuilder.CreateDispatcherFunction(
                "training",
                "claim_jobs(p_batch integer, p_lease interval, p_instance integer, p_owner uuid)",
                "TABLE (id uuid, account_id uuid)",
                """
                WITH alive AS MATERIALIZED (
                    SELECT l.objid::bigint AS instance
                    FROM pg_locks l
                    WHERE l.locktype = 'advisory' AND l.classid = 1179406932 AND l.objsubid = 2 AND l.granted
                      AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())),
                due AS (
                    SELECT j.id
                    FROM jobs j
                    WHERE j.next_look_at <= clock_timestamp()
                      AND (j.lease_until IS NULL OR j.lease_until <= clock_timestamp()
                           OR NOT EXISTS (SELECT 1 FROM alive a WHERE a.instance = j.lease_instance))
                    ORDER BY j.next_look_at
                    LIMIT p_batch
                    FOR UPDATE SKIP LOCKED)
                UPDATE jobs o
                SET lease_number = o.lease_number + 1, lease_owner = p_owner, lease_instance = p_instance, lease_until = clock_timestamp() + p_lease
                FROM due
                WHERE o.id = due.id
                RETURNING o.id, o.account_id
                """);
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

            // Returns the job, because nothing else may be known of a caller that has only a token.
            migrationBuilder.CreateDispatcherFunction(
                "training",
                "find_webhook(p_token_hash bytea)",
                "TABLE (id uuid, account_id uuid)",
                """
                SELECT a.job_id, a.account_id FROM attempts a WHERE a.webhook_token_hash = p_token_hash
                """);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql("DROP FUNCTION find_webhook(bytea); DROP FUNCTION renew_jobs(uuid[], uuid[], interval); DROP FUNCTION claim_jobs(integer, interval, integer, uuid); DROP FUNCTION claim_outbox(integer, integer); DROP FUNCTION prune_inbox(interval); DROP TABLE outbox_messages; DROP TABLE inbox_messages;");

            migrationBuilder.DropTable(
                name: "stages");

            migrationBuilder.DropTable(
                name: "webhook_events");

            migrationBuilder.DropTable(
                name: "attempts");

            migrationBuilder.DropTable(
                name: "jobs");
        }
    }
}
