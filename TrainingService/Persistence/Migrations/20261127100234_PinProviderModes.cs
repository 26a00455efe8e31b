using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Flurrty.TrainingService.Persistence.Migrations
{
    /// <inheritdoc />
    public partial class PinProviderModes : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<string>(
                name: "provider_mode",
                table: "jobs",
                type: "character varying(16)",
                maxLength: 16,
                nullable: true,
                defaultValue: "sandbox");

            // Every job so far ran in the Sandbox. By default, because row-level security hides the rows from an UPDATE of their owner; then the default goes.
            migrationBuilder.Sql("ALTER TABLE jobs ALTER COLUMN provider_mode DROP DEFAULT");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "provider_mode",
                table: "jobs");
        }
    }
}
