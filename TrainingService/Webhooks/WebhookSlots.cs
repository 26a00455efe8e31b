using System.Threading.RateLimiting;

namespace Flurrty.TrainingService.Webhooks;

/// <summary>
/// Bounds the bodies of webhooks that are held in memory at once. No job takes more than its share, so that slow bodies for one hold up no other.
/// </summary>
internal sealed class WebhookSlots : IDisposable
{
    private const int ForOneJob = 2;
    private const int InAll = 32;

    private readonly PartitionedRateLimiter<Guid> _limiter = PartitionedRateLimiter.CreateChained(
        PartitionedRateLimiter.Create<Guid, Guid>(static job => RateLimitPartition.GetConcurrencyLimiter(
            job, static _ => new ConcurrencyLimiterOptions { PermitLimit = ForOneJob, QueueLimit = 0 })),
        PartitionedRateLimiter.Create<Guid, int>(static _ => RateLimitPartition.GetConcurrencyLimiter(
            0, static _ => new ConcurrencyLimiterOptions { PermitLimit = InAll, QueueLimit = 0 })));

    /// <summary>Takes a slot for a job's webhook; not acquired when there is none. Its sender comes again, and the job is looked at meanwhile.</summary>
    public RateLimitLease Take(Guid jobId) => _limiter.AttemptAcquire(jobId);

    public void Dispose() => _limiter.Dispose();
}
