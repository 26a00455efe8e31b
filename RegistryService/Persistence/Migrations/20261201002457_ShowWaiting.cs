using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Flurrty.RegistryService.Persistence.Migrations
{
    /// <inheritdoc />
    public partial class ShowWaiting : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<string>(
                name: "waiting_reason",
                table: "versions",
                type: "text",
                nullable: true);

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "waiting_until",
                table: "versions",
                type: "timestamp with time zone",
                nullable: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "waiting_reason",
                table: "versions");

            migrationBuilder.DropColumn(
                name: "waiting_until",
                table: "versions");
        }
    }
}
