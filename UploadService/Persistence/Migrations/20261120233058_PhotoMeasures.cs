using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Flurrty.UploadService.Persistence.Migrations
{
    /// <inheritdoc />
    internal partial class PhotoMeasures : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<string>(
                name: "measures",
                table: "photos",
                type: "jsonb",
                nullable: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "measures",
                table: "photos");
        }
    }
}
