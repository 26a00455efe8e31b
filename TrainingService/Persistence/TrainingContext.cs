using Flurrty.Messaging;
using Flurrty.ServiceDefaults.Data;
using Flurrty.TrainingService.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Flurrty.TrainingService.Persistence;

/// <summary>The database of trainings.</summary>
internal sealed class TrainingContext : DbContext
{
    public const string DatabaseName = "training";

    /// <summary>The channel that tells every process that a job became due.</summary>
    public const string WakeChannel = "training_wake";

    public TrainingContext(DbContextOptions<TrainingContext> options)
        : base(options)
    {
        // A transaction that fails is never continued, so its savepoints would be two round trips for nothing.
        Database.AutoSavepointsEnabled = false;
    }

    public DbSet<Job> Jobs => Set<Job>();

    public DbSet<Attempt> Attempts => Set<Attempt>();

    public DbSet<JobStage> Stages => Set<JobStage>();

    public DbSet<WebhookEvent> WebhookEvents => Set<WebhookEvent>();

    /// <summary>The database's clock, the one that processes agree on.</summary>
    public static DateTimeOffset Clock() => throw new NotSupportedException("Only within a query.");

    /// <summary>The database's time.</summary>
    public Task<DateTimeOffset> NowAsync(CancellationToken cancellationToken) =>
        Database.SqlQuery<DateTimeOffset>($"SELECT clock_timestamp() AS \"Value\"").SingleAsync(cancellationToken);

    /// <summary>The account's job of this id, to be read only; null when there is none, or it is another account's.</summary>
    public Task<Job?> FindJobAsync(Guid accountId, Guid jobId, CancellationToken cancellationToken) =>
        this.AsAccountAsync(accountId, token => Jobs.AsNoTracking().SingleOrDefaultAsync(job => job.Id == jobId, token), cancellationToken);

    /// <summary>Makes a job due now, and tells every process so when the transaction commits.</summary>
    public async Task WakeAsync(Guid jobId, CancellationToken cancellationToken)
    {
        await Jobs.Where(job => job.Id == jobId && job.NextLookAt != null).ExecuteUpdateAsync(
            set => set.SetProperty(job => job.NextLookAt, _ => Clock()).SetProperty(job => job.Wakes, job => job.Wakes + 1),
            cancellationToken);
        await NotifyAsync(cancellationToken);
    }

    /// <summary>Tells every process, when the transaction commits, that a job is due.</summary>
    public Task<int> NotifyAsync(CancellationToken cancellationToken) =>
        Database.ExecuteSqlAsync($"SELECT pg_notify({WakeChannel}, '')", cancellationToken);

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasDbFunction(() => Clock()).HasName("clock_timestamp").IsBuiltIn();
        modelBuilder.Entity<Job>(job =>
        {
            job.ToTable("jobs");
            job.HasKey(row => row.Id);
            job.Property(row => row.Id).ValueGeneratedNever();
            job.Property(row => row.State).HasConversion(state => state.ToText(), text => JobStates.Parse(text)).HasMaxLength(32);
            job.Property(row => row.ProviderMode).HasConversion(mode => mode!.Value.ToText(), text => ProviderModes.Parse(text)!.Value).HasMaxLength(16);
            job.Property(row => row.Revision).IsConcurrencyToken();
            job.Property(row => row.LeaseNumber).IsConcurrencyToken();
            job.Property(row => row.WaitingReason).HasConversion(reason => reason!.Value.ToText(), text => WaitingReasons.Parse(text)).HasMaxLength(32);
            job.ComplexProperty(row => row.Failures, static failures =>
            {
                failures.Property(counts => counts.InARow).HasColumnName("failures");
                failures.Property(counts => counts.Transient).HasColumnName("failures_passing");
            });
            job.Ignore(row => row.CancelRequested);
            job.HasIndex(row => row.NextLookAt).HasFilter("next_look_at IS NOT NULL");
            job.HasIndex(row => new { row.AccountId, row.CreatedAt, row.Id });
        });
        modelBuilder.Entity<Attempt>(attempt =>
        {
            attempt.ToTable("attempts");
            attempt.HasKey(row => row.Id);
            attempt.Property(row => row.Id).ValueGeneratedNever();
            attempt.Property(row => row.State).HasConversion(state => state.ToText(), text => AttemptStates.Parse(text)).HasMaxLength(32);
            attempt.HasOne<Job>().WithMany().HasForeignKey(row => row.JobId);
            attempt.HasIndex(row => new { row.JobId, row.Number }).IsUnique();
            attempt.HasIndex(row => row.WebhookTokenHash).IsUnique();
        });
        modelBuilder.Entity<JobStage>(stage =>
        {
            stage.ToTable("stages");
            stage.HasKey(row => new { row.JobId, row.Number });
            stage.Property(row => row.State).HasConversion(state => state.ToText(), text => JobStates.Parse(text)).HasMaxLength(32);
            stage.HasOne<Job>().WithMany().HasForeignKey(row => row.JobId);
        });
        modelBuilder.Entity<WebhookEvent>(received =>
        {
            received.ToTable("webhook_events");
            received.HasKey(row => new { row.AttemptId, row.WebhookId });
            received.Property(row => row.WebhookId).HasMaxLength(256);
            received.HasOne<Attempt>().WithMany().HasForeignKey(row => row.AttemptId);
        });
        modelBuilder.AddMessaging();
    }
}
