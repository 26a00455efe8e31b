using Flurrty.Messaging;
using Flurrty.RegistryService.Identities;
using Flurrty.RegistryService.Versions;
using Microsoft.EntityFrameworkCore;

namespace Flurrty.RegistryService.Persistence;

/// <summary>The registry's tables. Every query runs inside a transaction of one account.</summary>
internal sealed class RegistryDbContext(DbContextOptions<RegistryDbContext> options) : DbContext(options)
{
    /// <summary>Name of the database and prefix of its roles.</summary>
    public const string DatabaseName = "registry";

    /// <summary>The index that makes a repeated Idempotency-Key visible.</summary>
    public const string IdempotencyIndex = "ux_identities_idempotency";

    public DbSet<Identity> Identities => Set<Identity>();

    public DbSet<IdentityVersion> Versions => Set<IdentityVersion>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Identity>(identity =>
        {
            identity.ToTable("identities");
            identity.HasKey(row => row.Id);
            identity.Property(row => row.Id).ValueGeneratedNever();
            identity.Property(row => row.Customization).HasColumnType("json");
            identity.Ignore(row => row.ActiveVersion);
            identity.HasIndex(row => new { row.AccountId, row.Id }).HasDatabaseName("ix_identities_account");
            identity.HasIndex(row => new { row.AccountId, row.IdempotencyKey }).IsUnique().HasDatabaseName(IdempotencyIndex);
            identity.HasMany(row => row.Versions).WithOne().HasForeignKey(version => version.IdentityId).OnDelete(DeleteBehavior.Cascade);
        });
        modelBuilder.Entity<IdentityVersion>(version =>
        {
            version.ToTable("versions", table =>
            {
                table.HasCheckConstraint("ck_versions_photo_count", "photo_count BETWEEN 3 AND 40");
                table.HasCheckConstraint("ck_versions_status", "status IN ('pending', 'training', 'ready', 'failed', 'canceled')");
                table.HasCheckConstraint("ck_versions_ready", "status <> 'ready' OR (model_bytes IS NOT NULL AND model_sha256 IS NOT NULL)");
            });
            version.HasKey(row => row.Id);
            version.Property(row => row.Id).ValueGeneratedNever();
            version.Property(row => row.Status).HasConversion(status => status.ToName(), name => VersionStates.FromName(name));
            version.Ignore(row => row.Config);
            version.HasIndex(row => row.ModelId).IsUnique().HasDatabaseName("ux_versions_model");
            version.HasIndex(row => new { row.IdentityId, row.Number }).IsUnique().HasDatabaseName("ux_versions_number");
            version.HasIndex(row => row.NextLookAt).HasFilter("next_look_at IS NOT NULL").HasDatabaseName("ix_versions_next_look");
            version.HasMany(row => row.History).WithOne().HasForeignKey(change => change.VersionId).OnDelete(DeleteBehavior.Cascade);
        });
        modelBuilder.Entity<VersionChange>(change =>
        {
            change.ToTable("version_changes");
            change.HasKey(row => new { row.VersionId, row.Number });
            change.Property(row => row.From).HasConversion<string?>(
                status => status == null ? null : status.Value.ToName(), name => name == null ? null : VersionStates.FromName(name)).HasColumnName("from_status");
            change.Property(row => row.To).HasConversion(status => status.ToName(), name => VersionStates.FromName(name)).HasColumnName("to_status");
            change.Property(row => row.At).HasColumnName("happened_at");
        });
        modelBuilder.AddMessaging();
    }
}
