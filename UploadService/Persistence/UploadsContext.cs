using System.Text.Json;
using Flurrty.ImagingChild;
using Flurrty.Messaging;
using Flurrty.UploadService.Consents;
using Flurrty.UploadService.Datasets;
using Flurrty.UploadService.PhotoSets;
using Flurrty.UploadService.Storage;
using Microsoft.EntityFrameworkCore;

namespace Flurrty.UploadService.Persistence;

/// <summary>The service's database. Every row belongs to an account, and every use happens inside an account's transaction.</summary>
internal sealed class UploadsContext(DbContextOptions<UploadsContext> options) : DbContext(options)
{
    /// <summary>Name of the database, the prefix of its roles and connection strings.</summary>
    public const string Name = "uploads";

    public DbSet<PhotoSet> PhotoSets => Set<PhotoSet>();

    public DbSet<Photo> Photos => Set<Photo>();

    public DbSet<Seal> Seals => Set<Seal>();

    public DbSet<SealedPhoto> SealedPhotos => Set<SealedPhoto>();

    public DbSet<Dataset> Datasets => Set<Dataset>();

    public DbSet<ScheduledRemoval> ScheduledRemovals => Set<ScheduledRemoval>();

    public DbSet<Consent> Consents => Set<Consent>();

    public DbSet<PendingUpload> PendingUploads => Set<PendingUpload>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<PhotoSet>(set =>
        {
            set.HasKey(row => row.Id);
            set.HasAlternateKey(row => new { row.AccountId, row.Id });
            set.Property(row => row.Id).ValueGeneratedNever();
            set.Property(row => row.Name).HasMaxLength(PhotoSet.LongestName);
            set.Property(row => row.CreatedAt).HasDefaultValueSql("now()");
        });
        modelBuilder.Entity<Photo>(photo =>
        {
            photo.HasKey(row => row.Id);
            photo.Property(row => row.Id).ValueGeneratedNever();
            photo.Property(row => row.FileName).HasMaxLength(Photo.LongestFileName);
            photo.Property(row => row.Measures).HasColumnType("jsonb").HasConversion(
                static measures => JsonSerializer.Serialize(measures, JsonSerializerOptions.Web), static text => JsonSerializer.Deserialize<PhotoMeasures>(text, JsonSerializerOptions.Web));
            photo.Property(row => row.Caption).HasMaxLength(Photo.LongestCaption);
            photo.Property(row => row.CreatedAt).HasDefaultValueSql("now()");
            photo.Property(row => row.CheckedAt).HasDefaultValueSql("now()");
            photo.HasIndex(row => row.CheckedAt);
            photo.HasIndex(row => new { row.PhotoSetId, row.SourceSha256 }).IsUnique();
            photo.HasOne<PhotoSet>().WithMany().HasForeignKey(row => new { row.AccountId, row.PhotoSetId }).HasPrincipalKey(set => new { set.AccountId, set.Id })
                .OnDelete(DeleteBehavior.Cascade);
        });
        modelBuilder.Entity<Dataset>(dataset =>
        {
            dataset.HasKey(row => row.Id);
            dataset.Property(row => row.Id).ValueGeneratedNever();
            dataset.Property(row => row.BuiltAt).HasDefaultValueSql("now()");
            dataset.HasIndex(row => new { row.AccountId, row.ContentSha256 }).IsUnique();
        });
        modelBuilder.Entity<Seal>(seal =>
        {
            seal.HasKey(row => row.Id);
            seal.HasAlternateKey(row => new { row.AccountId, row.Id });
            seal.Property(row => row.Id).ValueGeneratedNever();
            seal.Property(row => row.CreatedAt).HasDefaultValueSql("now()");
            seal.Property(row => row.State).HasConversion<string>();
            seal.HasIndex(row => row.CreatedAt).HasFilter("state = 'Requested'");
            seal.HasIndex(row => row.DatasetId);
            seal.HasIndex(row => row.BuiltAt).HasFilter("state = 'Built'");
            seal.HasOne<Consent>().WithMany().HasForeignKey(row => row.ConsentId).OnDelete(DeleteBehavior.Restrict);
            seal.HasOne<Dataset>().WithMany().HasForeignKey(row => row.DatasetId).OnDelete(DeleteBehavior.Restrict);
        });
        modelBuilder.Entity<SealedPhoto>(photo =>
        {
            photo.HasKey(row => new { row.SealId, row.Position });
            photo.HasIndex(row => row.ObjectKey);
            photo.HasOne<Seal>().WithMany().HasForeignKey(row => new { row.AccountId, row.SealId }).HasPrincipalKey(seal => new { seal.AccountId, seal.Id })
                .OnDelete(DeleteBehavior.Cascade);
        });
        modelBuilder.Entity<ScheduledRemoval>(removal =>
        {
            removal.HasKey(row => row.Id);
            removal.Property(row => row.Id).ValueGeneratedNever();
            removal.HasIndex(row => row.DueAt);
            removal.HasIndex(row => row.PhotoId);
        });
        modelBuilder.Entity<Consent>(consent =>
        {
            consent.HasKey(row => row.Id);
            consent.Property(row => row.Id).ValueGeneratedNever();
            consent.Property(row => row.TextVersion).HasMaxLength(Consent.LongestVersion);
            consent.Property(row => row.Address).HasMaxLength(Consent.LongestAddress);
            consent.Property(row => row.GivenAt).HasDefaultValueSql("now()");
            consent.HasIndex(row => new { row.PhotoSetId, row.TextVersion }).IsUnique();
        });
        modelBuilder.Entity<PendingUpload>(upload =>
        {
            upload.HasKey(row => row.Id);
            upload.Property(row => row.Id).ValueGeneratedNever();
            upload.Property(row => row.Way).HasConversion<string>();
            upload.Property(row => row.FileName).HasMaxLength(Photo.LongestFileName);
            upload.Property(row => row.ContentType).HasMaxLength(PendingUpload.LongestContentType);
            upload.Property(row => row.CreatedAt).HasDefaultValueSql("now()");
            upload.Property(row => row.Refusal).HasConversion(static problem => PhotoProblem.Write(problem), static text => PhotoProblem.Read(text));
            upload.Ignore(row => row.IsDone);
            upload.HasIndex(row => row.ExpiresAt);
            upload.HasOne<PhotoSet>().WithMany().HasForeignKey(row => new { row.AccountId, row.PhotoSetId }).HasPrincipalKey(set => new { set.AccountId, set.Id })
                .OnDelete(DeleteBehavior.Cascade);
        });
        modelBuilder.AddMessaging();
    }
}
