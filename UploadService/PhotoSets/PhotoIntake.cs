using System.Diagnostics;
using System.Security.Cryptography;
using Flurrty.ImagingChild;
using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Storage;
using Flurrty.UploadService.Imaging;
using Flurrty.UploadService.Persistence;
using Flurrty.UploadService.Quotas;
using Flurrty.UploadService.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Flurrty.UploadService.PhotoSets;

/// <summary>What became of one file.</summary>
internal sealed record IntakeOutcome(string? FileName, Photo? Photo, PhotoProblem? Problem);

/// <summary>
/// Takes one received file into a set. Order of the effects: a removal is scheduled for the objects' keys, the objects are put,
/// then one transaction writes the row and cancels the removal. Whatever is cut off in between is removed later.
/// </summary>
internal sealed partial class PhotoIntake(
    IServiceScopeFactory scopes, ImagingPool imaging, ObjectStore store, RemovalSignal removals, IOptions<QuotaOptions> quota, ILogger<PhotoIntake> logger)
{
    private const string Jpeg = "image/jpeg";

    internal static readonly ActivitySource Source = new("Flurrty.UploadService");

    public async Task<IntakeOutcome> TakeAsync(Guid accountId, Guid photoSetId, Guid photoId, string? fileName, PhotoSpool spool, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<UploadsContext>();
        var sourceSha256 = Convert.ToHexStringLower(spool.Sha256);
        var (known, keepsOriginal) = await FindOrScheduleAsync(db, accountId, photoSetId, photoId, sourceSha256, cancellationToken);
        if (known is not null)
        {
            return known with { FileName = fileName };
        }

        using var image = await NormalizeAsync(spool, cancellationToken);
        if (image.Refusal != PhotoRefusal.None)
        {
            await CancelRemovalsAsync(db, accountId, photoId, cancellationToken);
            return new IntakeOutcome(fileName, Photo: null, PhotoProblems.Of(image.Refusal));
        }

        await StoreAsync(image, keepsOriginal ? spool : null, accountId, photoSetId, photoId, cancellationToken);
        var photo = new Photo
        {
            Id = photoId,
            AccountId = accountId,
            PhotoSetId = photoSetId,
            FileName = fileName,
            SourceSha256 = sourceSha256,
            SourceBytes = spool.Length,
            SourceFormat = NameOf(image.Format),
            SourceWidth = image.SourceWidth,
            SourceHeight = image.SourceHeight,
            Sha256 = Convert.ToHexStringLower(SHA256.HashData(image.Photo.Span)),
            Crc32 = Crc32.Of(image.Photo.Span),
            Bytes = image.Photo.Length,
            ThumbnailBytes = image.Thumbnail.Length,
            OriginalBytes = keepsOriginal ? spool.Length : 0,
            Width = image.Width,
            Height = image.Height,
            Measures = image.Measures,
        };
        return await RecordAsync(db, photo, cancellationToken);
    }

    private async Task<(IntakeOutcome? Known, bool KeepsOriginal)> FindOrScheduleAsync(
        UploadsContext db, Guid accountId, Guid photoSetId, Guid photoId, string sourceSha256, CancellationToken cancellationToken) =>
        await db.AsAccountAsync(
            accountId,
            async token =>
            {
                if (await db.Photos.AsNoTracking().FirstOrDefaultAsync(photo => photo.PhotoSetId == photoSetId && photo.SourceSha256 == sourceSha256, token) is { } known)
                {
                    return (new IntakeOutcome(known.FileName, known, Problem: null), false);
                }

                var set = await db.PhotoSets.Where(row => row.Id == photoSetId)
                    .Select(row => new { row.KeepsOriginals, Photos = db.Photos.Count(photo => photo.PhotoSetId == row.Id) }).FirstOrDefaultAsync(token)
                    ?? throw PhotoProblems.SetNotFound();
                if (set.Photos >= PhotoSet.MostPhotos)
                {
                    return (new IntakeOutcome(FileName: null, Photo: null, PhotoProblems.TooMany), false);
                }

                // A full account is told before its photo is decoded; what is judged here is judged again with the row.
                if ((await AccountUsage.ReadAsync(db, token)).Refuse(quota.Value, files: 1, bytes: 1, withPending: false) is { } full)
                {
                    return (new IntakeOutcome(FileName: null, Photo: null, full), false);
                }

                var grace = ScheduledRemoval.Grace;
                var keys = ObjectKeys.OfPhoto(accountId, photoSetId, photoId, set.KeepsOriginals);
                _ = await db.Database.ExecuteSqlAsync(
                    $"""
                     INSERT INTO scheduled_removals (id, account_id, object_key, photo_id, due_at)
                     SELECT gen_random_uuid(), {accountId}, key, {photoId}, clock_timestamp() + {grace} FROM unnest({keys}) AS key
                     """,
                    token);
                return ((IntakeOutcome?)null, set.KeepsOriginals);
            },
            cancellationToken);

    private static async Task CancelRemovalsAsync(UploadsContext db, Guid accountId, Guid photoId, CancellationToken cancellationToken) =>
        await db.AsAccountAsync(
            accountId,
            async token => await db.ScheduledRemovals.Where(removal => removal.PhotoId == photoId && removal.ClaimedUntil == null).ExecuteDeleteAsync(token),
            cancellationToken);

    private async Task<ImagingResult> NormalizeAsync(PhotoSpool spool, CancellationToken cancellationToken)
    {
        using var activity = Source.StartActivity("photo normalize");
        activity?.SetTag("photo.bytes", spool.Length);
        try
        {
            var image = await imaging.NormalizeAsync(spool, cancellationToken);
            activity?.SetTag("photo.refusal", image.Refusal.ToString());
            return image;
        }
        catch (ImagingUnavailableException)
        {
            throw PhotoProblems.Unavailable();
        }
    }

    private async Task StoreAsync(ImagingResult image, PhotoSpool? original, Guid accountId, Guid photoSetId, Guid photoId, CancellationToken cancellationToken)
    {
        using var activity = Source.StartActivity("photo store");
        using var photo = image.OpenPhoto();
        using var thumbnail = image.OpenThumbnail();
        await using var sent = original?.OpenRead();
        try
        {
            await Task.WhenAll(
                store.PutAsync(ObjectKeys.Photo(accountId, photoSetId, photoId), photo, photo.Length, Jpeg, cancellationToken),
                store.PutAsync(ObjectKeys.Thumbnail(accountId, photoSetId, photoId), thumbnail, thumbnail.Length, Jpeg, cancellationToken),
                sent is null ? Task.CompletedTask : store.PutAsync(ObjectKeys.Original(accountId, photoSetId, photoId), sent, sent.Length, $"image/{NameOf(image.Format)}", cancellationToken));
        }
        catch (Exception problem) when (StoreFailures.Is(problem, cancellationToken))
        {
            LogNotStored(logger, problem.Message);
            throw PhotoProblems.StorageUnavailable();
        }
    }

    private async Task<IntakeOutcome> RecordAsync(UploadsContext db, Photo photo, CancellationToken cancellationToken)
    {
        var outcome = await db.AsAccountAsync(
            photo.AccountId,
            async token =>
            {
                // The set's row orders concurrent uploads: the limit and the duplicates are judged one at a time.
                if (!await PhotoSetLock.TakeAsync(db, photo.PhotoSetId, token))
                {
                    throw PhotoProblems.SetNotFound();
                }

                var others = await db.Photos.AsNoTracking().Where(other => other.PhotoSetId == photo.PhotoSetId)
                    .GroupBy(_ => 1)
                    .Select(group => new { Count = group.Count(), Twins = group.Count(other => other.SourceSha256 == photo.SourceSha256) })
                    .SingleOrDefaultAsync(token);
                if (others is { Twins: > 0 })
                {
                    var twin = await db.Photos.AsNoTracking().FirstAsync(other => other.PhotoSetId == photo.PhotoSetId && other.SourceSha256 == photo.SourceSha256, token);
                    return new IntakeOutcome(photo.FileName, twin, Problem: null);
                }

                if (others is { Count: >= PhotoSet.MostPhotos })
                {
                    return new IntakeOutcome(photo.FileName, Photo: null, PhotoProblems.TooMany);
                }

                await AccountUsage.LockAsync(db, photo.AccountId, token);
                if ((await AccountUsage.ReadAsync(db, token)).Refuse(quota.Value, files: 1, photo.Bytes + photo.ThumbnailBytes + photo.OriginalBytes, withPending: false) is { } full)
                {
                    return new IntakeOutcome(photo.FileName, Photo: null, full);
                }

                var canceled = await db.ScheduledRemovals.Where(removal => removal.PhotoId == photo.Id && removal.ClaimedUntil == null).ExecuteDeleteAsync(token);
                if (canceled != ObjectKeys.OfPhoto(photo.AccountId, photo.PhotoSetId, photo.Id, photo.OriginalBytes > 0).Length)
                {
                    // It took longer than the grace and the objects are going; the sender may try again.
                    throw PhotoProblems.TooSlow();
                }

                _ = db.Photos.Add(photo);
                _ = await db.SaveChangesAsync(token);
                return new IntakeOutcome(photo.FileName, photo, Problem: null);
            },
            cancellationToken);
        if (outcome.Photo?.Id != photo.Id)
        {
            await ExpireAsync(db, photo, cancellationToken);
        }

        return outcome;
    }

    private async Task ExpireAsync(UploadsContext db, Photo photo, CancellationToken cancellationToken)
    {
        await db.AsAccountAsync(
            photo.AccountId,
            async token => await db.Database.ExecuteSqlAsync(
                $"UPDATE scheduled_removals SET due_at = clock_timestamp() WHERE photo_id = {photo.Id} AND claimed_until IS NULL", token),
            cancellationToken);
        removals.Raise();
    }

    private static string NameOf(PhotoFormat format) => format switch
    {
        PhotoFormat.Jpeg => "jpeg",
        PhotoFormat.Png => "png",
        PhotoFormat.Webp => "webp",
        PhotoFormat.Heic => "heic",
        PhotoFormat.Avif => "avif",
        _ => "other",
    };

    [LoggerMessage(3101, LogLevel.Warning, "A photo could not be stored: {Reason}")]
    private static partial void LogNotStored(ILogger logger, string reason);
}
