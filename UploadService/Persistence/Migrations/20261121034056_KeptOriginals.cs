using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Flurrty.UploadService.Persistence.Migrations
{
    /// <inheritdoc />
    internal partial class KeptOriginals : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<long>(
                name: "original_bytes",
                table: "photos",
                type: "bigint",
                nullable: false,
                defaultValue: 0L);

            migrationBuilder.AddColumn<bool>(
                name: "keeps_originals",
                table: "photo_sets",
                type: "boolean",
                nullable: false,
                defaultValue: false);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "original_bytes",
                table: "photos");

            migrationBuilder.DropColumn(
                name: "keeps_originals",
                table: "photo_sets");
        }
    }
}
