using System.Buffers;
using Flurrty.ImagingChild;
using Flurrty.ServiceDefaults.Storage;
using Flurrty.UploadService.Imaging;
using Flurrty.UploadService.Storage;

namespace Flurrty.UploadService.PhotoSets;

/// <summary>
/// Makes a photo's thumbnail anew from its stored photo. When the photo is deleted meanwhile, the thumbnail has no row and goes with the next audit.
/// </summary>
internal sealed partial class ThumbnailRepair(ObjectStore store, ImagingPool imaging, PhotoSlots slots, ILogger<ThumbnailRepair> logger)
{
    private const int ChunkBytes = 64 * 1024;

    /// <summary>Puts the thumbnail when it is not there.</summary>
    /// <param name="photo">The photo; its own object must be there.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>Whether one was put.</returns>
    public async Task<bool> RepairAsync(Photo photo, CancellationToken cancellationToken)
    {
        var key = ObjectKeys.Thumbnail(photo.AccountId, photo.PhotoSetId, photo.Id);
        if (await store.HeadAsync(key, cancellationToken) is not null)
        {
            return false;
        }

        await slots.WaitAsync(cancellationToken);
        try
        {
            using var spool = new PhotoSpool();
            await ReadAsync(photo, spool, cancellationToken);
            using var image = await imaging.NormalizeAsync(spool, cancellationToken);
            if (image.Refusal != PhotoRefusal.None)
            {
                LogRefused(logger, photo.Id, image.Refusal);
                return false;
            }

            using var thumbnail = image.OpenThumbnail();
            _ = await store.PutAsync(key, thumbnail, thumbnail.Length, "image/jpeg", cancellationToken);
            LogRepaired(logger, photo.Id);
            return true;
        }
        catch (ImagingUnavailableException problem)
        {
            throw new InvalidOperationException(problem.Message, problem);
        }
        finally
        {
            slots.Release();
        }
    }

    private async Task ReadAsync(Photo photo, PhotoSpool spool, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            await using var content = await store.GetAsync(ObjectKeys.Photo(photo.AccountId, photo.PhotoSetId, photo.Id), cancellationToken);
            int read;
            while ((read = await content.ReadAsync(buffer, cancellationToken)) > 0)
            {
                spool.Append(buffer.AsSpan(0, read));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    [LoggerMessage(3226, LogLevel.Warning, "The thumbnail of photo {PhotoId} was not in the store and has been made anew")]
    private static partial void LogRepaired(ILogger logger, Guid photoId);

    [LoggerMessage(3227, LogLevel.Warning, "The stored photo {PhotoId} gives no thumbnail: {Refusal}")]
    private static partial void LogRefused(ILogger logger, Guid photoId, PhotoRefusal refusal);
}
