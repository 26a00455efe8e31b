using Flurrty.UploadService.Persistence;
using Microsoft.EntityFrameworkCore;

namespace Flurrty.UploadService.PhotoSets;

/// <summary>Orders the changes of one set: uploads, deletions and seals.</summary>
internal static class PhotoSetLock
{
    /// <summary>Locks the set's row until the transaction ends.</summary>
    /// <returns>Whether the set exists and is the account's.</returns>
    public static async Task<bool> TakeAsync(UploadsContext db, Guid photoSetId, CancellationToken cancellationToken) =>
        await db.Database.SqlQuery<Guid>($"SELECT id AS \"Value\" FROM photo_sets WHERE id = {photoSetId} FOR UPDATE").ToListAsync(cancellationToken) is [_];
}
