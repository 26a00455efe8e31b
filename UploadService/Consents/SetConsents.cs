using Flurrty.UploadService.Persistence;
using Microsoft.EntityFrameworkCore;

namespace Flurrty.UploadService.Consents;

/// <summary>What was agreed to for a set.</summary>
internal static class SetConsents
{
    /// <summary>The agreement to the text of today, or null.</summary>
    public static async Task<Consent?> FindCurrentAsync(UploadsContext db, Guid photoSetId, ConsentOptions text, CancellationToken cancellationToken) =>
        await db.Consents.AsNoTracking().FirstOrDefaultAsync(consent => consent.PhotoSetId == photoSetId && consent.TextVersion == text.TextVersion, cancellationToken);

    /// <summary>The latest agreement, or null.</summary>
    public static async Task<Consent?> FindLatestAsync(UploadsContext db, Guid photoSetId, CancellationToken cancellationToken) =>
        await db.Consents.AsNoTracking().Where(consent => consent.PhotoSetId == photoSetId).OrderByDescending(consent => consent.Id).FirstOrDefaultAsync(cancellationToken);

    /// <summary>Deletes the agreements of a set that goes, but for those under which a training was started: they are its evidence.</summary>
    public static async Task DeleteUnusedAsync(UploadsContext db, Guid photoSetId, CancellationToken cancellationToken) =>
        _ = await db.Consents.Where(consent => consent.PhotoSetId == photoSetId && !db.Seals.Any(seal => seal.ConsentId == consent.Id)).ExecuteDeleteAsync(cancellationToken);
}
