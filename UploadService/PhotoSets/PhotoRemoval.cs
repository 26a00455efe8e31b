using Flurrty.UploadService.Persistence;
using Flurrty.UploadService.Storage;
using Microsoft.EntityFrameworkCore;

namespace Flurrty.UploadService.PhotoSets;

/// <summary>Deletes photos; their objects follow as soon as no sealed copy needs them.</summary>
internal static class PhotoRemoval
{
    /// <summary>Deletes the rows and schedules the removal of their objects, in the caller's transaction, which holds the set's lock.</summary>
    public static async Task DeleteAsync(UploadsContext db, Guid accountId, Guid photoSetId, IReadOnlyCollection<Guid> photoIds, CancellationToken cancellationToken)
    {
        var withOriginal = await db.Photos.Where(photo => photoIds.Contains(photo.Id) && photo.OriginalBytes > 0).Select(photo => photo.Id).ToListAsync(cancellationToken);
        foreach (var photoId in photoIds)
        {
            var keys = ObjectKeys.OfPhoto(accountId, photoSetId, photoId, withOriginal.Contains(photoId));
            _ = await db.Database.ExecuteSqlAsync(
                $"""
                 INSERT INTO scheduled_removals (id, account_id, object_key, photo_id, due_at)
                 SELECT gen_random_uuid(), {accountId}, key, {photoId}, clock_timestamp() FROM unnest({keys}) AS key
                 """,
                cancellationToken);
        }

        _ = await db.Photos.Where(photo => photoIds.Contains(photo.Id)).ExecuteDeleteAsync(cancellationToken);
    }
}
