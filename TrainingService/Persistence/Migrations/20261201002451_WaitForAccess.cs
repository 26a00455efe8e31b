using Flurrty.ServiceDefaults.Data;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Flurrty.TrainingService.Persistence.Migrations
{
    /// <inheritdoc />
    public partial class WaitForAccess : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<int>(
                name: "failures_damaged",
                table: "jobs",
                type: "integer",
                nullable: false,
                defaultValue: 0);

            migrationBuilder.AddColumn<int>(
                name: "failures_dataset",
                table: "jobs",
                type: "integer",
                nullable: false,
                defaultValue: 0);

            migrationBuilder.AddColumn<int>(
                name: "failures_fault",
                table: "jobs",
                type: "integer",
                nullable: false,
                defaultValue: 0);

            migrationBuilder.AddColumn<int>(
                name: "failures_missing",
                table: "jobs",
                type: "integer",
                nullable: false,
                defaultValue: 0);

            migrationBuilder.AddColumn<int>(
                name: "failures_passing",
                table: "jobs",
                type: "integer",
                nullable: false,
                defaultValue: 0);

            migrationBuilder.AddColumn<int>(
                name: "failures_throttled",
                table: "jobs",
                type: "integer",
                nullable: false,
                defaultValue: 0);

            migrationBuilder.AddColumn<string>(
                name: "waiting_reason",
                table: "jobs",
                type: "character varying(32)",
                maxLength: 32,
                nullable: true);

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "waiting_since",
                table: "jobs",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "waiting_until",
                table: "jobs",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.AddColumn<bool>(
                name: "is_spent",
                table: "attempts",
                type: "boolean",
                nullable: false,
                defaultValue: false);

            migrationBuilder.CreateDispatcherFunction(
                "training",
                "count_waiting_jobs()",
                "TABLE (reason text, jobs bigint)",
                "SELECT j.waiting_reason, count(*) FROM jobs j WHERE j.next_look_at IS NOT NULL AND j.waiting_reason IS NOT NULL GROUP BY j.waiting_reason");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql("DROP FUNCTION count_waiting_jobs()");

            migrationBuilder.DropColumn(
                name: "failures_damaged",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "failures_dataset",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "failures_fault",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "failures_missing",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "failures_passing",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "failures_throttled",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "waiting_reason",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "waiting_since",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "waiting_until",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "is_spent",
                table: "attempts");
        }
    }
}
