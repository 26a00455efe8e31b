using Flurrty.UploadService.Persistence;
using Flurrty.UploadService.PhotoSets;
using Microsoft.EntityFrameworkCore;

namespace Flurrty.UploadService.Quotas;

/// <summary>What an account keeps and what it has under way.</summary>
internal sealed record AccountUsage(int Files, long Bytes, int PendingFiles, long PendingBytes)
{
    /// <summary>
    /// Lets one transaction at a time of an account judge its usage, until it ends. Taken after a set's lock, never before.
    /// </summary>
    public static async Task LockAsync(UploadsContext db, Guid accountId, CancellationToken cancellationToken) =>
        _ = await db.Database.ExecuteSqlAsync($"SELECT pg_advisory_xact_lock(hashtextextended({accountId.ToString()}, 1))", cancellationToken);

    /// <summary>Adds up what is there now. Uploads that have ended or expired are not under way.</summary>
    public static async Task<AccountUsage> ReadAsync(UploadsContext db, CancellationToken cancellationToken) =>
        await db.Database.SqlQuery<AccountUsage>(
            $"""
             SELECT stored.files AS files, stored.bytes AS bytes, pending.files AS pending_files, pending.bytes AS pending_bytes
             FROM (SELECT count(*)::integer AS files, coalesce(sum(bytes + thumbnail_bytes + original_bytes), 0)::bigint AS bytes FROM photos) stored,
                  (SELECT count(*)::integer AS files, coalesce(sum(bytes), 0)::bigint AS bytes FROM pending_uploads
                   WHERE photo_id IS NULL AND refusal IS NULL AND expires_at > clock_timestamp()) pending
             """).SingleAsync(cancellationToken);

    /// <summary>The problem that one more photo would have, or null.</summary>
    public PhotoProblem? Refuse(QuotaOptions limits, int files, long bytes, bool withPending)
    {
        var (allFiles, allBytes) = withPending ? (Files + PendingFiles, Bytes + PendingBytes) : (Files, Bytes);
        return allFiles + files > limits.MaxFiles || allBytes + bytes > limits.MaxBytes ? QuotaProblems.Exceeded(this, limits) : null;
    }
}

/// <summary>The problems that quotas can have.</summary>
internal static class QuotaProblems
{
    public static PhotoProblem Exceeded(AccountUsage usage, QuotaOptions limits) => new(
        409,
        "quota_exceeded",
        "Your account cannot keep more photos.",
        $"It keeps {usage.Files} of {limits.MaxFiles} photos and {usage.Bytes} of {limits.MaxBytes} bytes, with {usage.PendingFiles} uploads of {usage.PendingBytes} bytes under way. "
            + "Delete photos or sets that you no longer need, or end uploads that you have given up; see GET /api/photo-sets/usage.");
}
