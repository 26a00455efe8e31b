using Flurrty.ServiceDefaults.Problems;
using Flurrty.UploadService.Persistence;
using Flurrty.UploadService.Quotas;
using Flurrty.UploadService.Storage;
using Microsoft.EntityFrameworkCore;

namespace Flurrty.UploadService.PhotoSets;

/// <summary>What uploads of more than one request have in common: how they are admitted, found, ended and abandoned.</summary>
internal static class PendingUploads
{
    /// <summary>
    /// Admits uploads to a set in the caller's transaction. The set's photos, the uploads under way and the account's quota are judged
    /// together, one request at a time. The removal of their bytes is scheduled before there are any.
    /// </summary>
    public static async Task AdmitAsync(
        UploadsContext db, Guid accountId, Guid photoSetId, IReadOnlyCollection<PendingUpload> uploads, QuotaOptions quota, CancellationToken cancellationToken)
    {
        var present = await db.Photos.CountAsync(photo => photo.PhotoSetId == photoSetId, cancellationToken);
        var now = await db.NowAsync(cancellationToken);
        var open = await db.PendingUploads.CountAsync(
            upload => upload.PhotoSetId == photoSetId && upload.PhotoId == null && upload.Refusal == null && upload.ExpiresAt > now, cancellationToken);
        if (present + open + uploads.Count > PhotoSet.MostPhotos)
        {
            throw PhotoProblems.TooMany.AsException();
        }

        await AccountUsage.LockAsync(db, accountId, cancellationToken);
        if ((await AccountUsage.ReadAsync(db, cancellationToken)).Refuse(quota, uploads.Count, uploads.Sum(static upload => upload.Bytes), withPending: true) is { } full)
        {
            throw full.AsException();
        }

        foreach (var upload in uploads)
        {
            // A request that began in time may still write for a while after the upload has expired.
            await ScheduleRemovalAsync(db, upload, upload.ExpiresAt + ScheduledRemoval.Grace, cancellationToken);
        }

        db.PendingUploads.AddRange(uploads);
        _ = await db.SaveChangesAsync(cancellationToken);
    }

    /// <summary>Finds an upload that has not expired.</summary>
    /// <exception cref="ProblemException">There is none, or it has expired.</exception>
    public static async Task<PendingUpload> FindAsync(UploadsContext db, Guid photoSetId, Guid uploadId, UploadWay way, CancellationToken cancellationToken) =>
        await LiveAsync(
            db,
            await db.PendingUploads.AsNoTracking().FirstOrDefaultAsync(row => row.Id == uploadId && row.PhotoSetId == photoSetId && row.Way == way, cancellationToken),
            cancellationToken);

    /// <summary>The same, locked until the transaction ends.</summary>
    public static async Task<PendingUpload> LockAsync(UploadsContext db, Guid photoSetId, Guid uploadId, UploadWay way, CancellationToken cancellationToken)
    {
        var found = await db.PendingUploads.FromSql($"SELECT * FROM pending_uploads WHERE id = {uploadId} FOR UPDATE").ToListAsync(cancellationToken);
        return await LiveAsync(db, found.Find(row => row.PhotoSetId == photoSetId && row.Way == way), cancellationToken);
    }

    /// <summary>Records how an upload ended and has its bytes removed at once. Whatever arrives later goes when the upload expires.</summary>
    public static async Task EndAsync(UploadsContext db, PendingUpload upload, IntakeOutcome outcome, CancellationToken cancellationToken)
    {
        var (photoId, refusal) = (outcome.Photo?.Id, outcome.Problem);
        var ended = await db.PendingUploads.Where(row => row.Id == upload.Id && row.PhotoId == null && row.Refusal == null).ExecuteUpdateAsync(
            row => row.SetProperty(pending => pending.PhotoId, photoId).SetProperty(pending => pending.Refusal, refusal).SetProperty(pending => pending.Received, upload.Bytes),
            cancellationToken);
        if (ended > 0)
        {
            await ScheduleRemovalAsync(db, upload, dueAt: null, cancellationToken);
        }
    }

    /// <summary>Deletes an upload and has its bytes removed at once.</summary>
    public static async Task AbandonAsync(UploadsContext db, PendingUpload upload, CancellationToken cancellationToken)
    {
        _ = await db.PendingUploads.Where(row => row.Id == upload.Id).ExecuteDeleteAsync(cancellationToken);
        await ScheduleRemovalAsync(db, upload, dueAt: null, cancellationToken);
    }

    /// <summary>Deletes the uploads of a set that goes, in its transaction, and has their bytes removed at once.</summary>
    public static async Task AbandonAllAsync(UploadsContext db, Guid photoSetId, CancellationToken cancellationToken)
    {
        foreach (var upload in await db.PendingUploads.AsNoTracking().Where(row => row.PhotoSetId == photoSetId).ToListAsync(cancellationToken))
        {
            await AbandonAsync(db, upload, cancellationToken);
        }
    }

    /// <summary>What became of an upload that has ended.</summary>
    public static async Task<IntakeOutcome> OutcomeOfAsync(UploadsContext db, PendingUpload upload, CancellationToken cancellationToken)
    {
        if (upload.Refusal is { } refusal)
        {
            return new IntakeOutcome(upload.FileName, Photo: null, refusal);
        }

        return await db.Photos.AsNoTracking().FirstOrDefaultAsync(row => row.Id == upload.PhotoId, cancellationToken) is { } photo
            ? new IntakeOutcome(upload.FileName, photo, Problem: null)
            : new IntakeOutcome(upload.FileName, Photo: null, UploadProblems.PhotoDeleted);
    }

    private static async Task<PendingUpload> LiveAsync(UploadsContext db, PendingUpload? upload, CancellationToken cancellationToken) => upload switch
    {
        null => throw UploadProblems.NotFound(),
        _ when upload.ExpiresAt <= await db.NowAsync(cancellationToken) => throw UploadProblems.Expired(),
        _ => upload,
    };

    private static async Task ScheduleRemovalAsync(UploadsContext db, PendingUpload upload, DateTimeOffset? dueAt, CancellationToken cancellationToken)
    {
        var prefix = ObjectKeys.Quarantine(upload.AccountId, upload.Id);
        _ = await db.Database.ExecuteSqlAsync(
            $"INSERT INTO scheduled_removals (id, account_id, object_key, due_at) VALUES (gen_random_uuid(), {upload.AccountId}, {prefix}, coalesce({dueAt}, clock_timestamp()))",
            cancellationToken);
    }
}
