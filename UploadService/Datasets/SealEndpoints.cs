using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Problems;
using Flurrty.ServiceDefaults.Tickets;
using Flurrty.UploadService.Consents;
using Flurrty.UploadService.Persistence;
using Flurrty.UploadService.PhotoSets;
using Flurrty.UploadService.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Flurrty.UploadService.Datasets;

internal sealed record SealPhotoSet(Guid PhotoSetId, string? TriggerWord);

internal sealed record SealedSet(Guid SealId, int PhotoCount, Guid ThumbnailPhotoId);

/// <summary>Seals: RegistryService freezes a set for a version.</summary>
internal static class SealEndpoints
{
    private const string Issuer = "registry";
    private const int LongestTrigger = 64;

    public static RouteHandlerBuilder MapSeals(this IEndpointRouteBuilder routes) =>
        routes.MapPut("/internal/seals/{versionId:guid}", SealAsync).RequireAuthorization(TicketPolicies.Service).ExcludeFromDescription();

    private static async Task<Ok<SealedSet>> SealAsync(
        Guid versionId, SealPhotoSet body, HttpContext context, UploadsContext db, IOptions<ConsentOptions> consents, CancellationToken cancellationToken)
    {
        var caller = context.GetCaller();
        InternalCallers.Require(caller, Issuer);
        var trigger = body.TriggerWord?.Trim();
        if (trigger is not { Length: > 0 and <= LongestTrigger } || trigger.Any(char.IsControl))
        {
            throw new ProblemException(422, "invalid_trigger_word", "The trigger word cannot be used.", $"Give a word of 1 to {LongestTrigger} characters.");
        }

        return TypedResults.Ok(await db.AsAccountAsync(
            caller.AccountId,
            async token =>
            {
                // One request at a time seals under an id: the others find what it made, and no insert fails.
                _ = await db.Database.ExecuteSqlAsync($"SELECT pg_advisory_xact_lock(hashtextextended({versionId.ToString()}, 2))", token);
                var found = await PhotoSetLock.TakeAsync(db, body.PhotoSetId, token);
                if (await db.Seals.AsNoTracking().FirstOrDefaultAsync(seal => seal.Id == versionId, token) is { } known)
                {
                    return Repeat(known, body.PhotoSetId, trigger);
                }

                return found ? await CreateAsync(db, versionId, caller.AccountId, body.PhotoSetId, trigger, consents.Value, token) : throw PhotoProblems.SetNotFound();
            },
            cancellationToken));
    }

    private static SealedSet Repeat(Seal known, Guid photoSetId, string trigger) =>
        known.PhotoSetId == photoSetId && string.Equals(known.TriggerWord, trigger, StringComparison.Ordinal)
            ? new SealedSet(known.Id, known.PhotoCount, known.ThumbnailPhotoId)
            : throw new ProblemException(409, "seal_conflict", "The version has sealed other photos.", "A version keeps the set and the trigger word that it began with.");

    private static async Task<SealedSet> CreateAsync(
        UploadsContext db, Guid versionId, Guid accountId, Guid photoSetId, string trigger, ConsentOptions text, CancellationToken cancellationToken)
    {
        var photos = await db.Photos.AsNoTracking().Where(photo => photo.PhotoSetId == photoSetId).OrderBy(photo => photo.Id).ToListAsync(cancellationToken);
        if (photos.Count < PhotoSet.FewestPhotos)
        {
            throw new ProblemException(
                422, "too_few_photos", "The set has too few photos.", $"A training needs {PhotoSet.FewestPhotos} to {PhotoSet.MostPhotos} photos; this set has {photos.Count}. Add more.");
        }

        if (photos.Count > PhotoSet.MostPhotos)
        {
            throw new ProblemException(
                422, "too_many_photos", "The set has too many photos.", $"A training takes at most {PhotoSet.MostPhotos} photos; this set has {photos.Count}. Delete some.");
        }

        if (await SetConsents.FindCurrentAsync(db, photoSetId, text, cancellationToken) is not { } consent)
        {
            throw ConsentProblems.Missing(photoSetId, await SetConsents.FindLatestAsync(db, photoSetId, cancellationToken), text.TextVersion);
        }

        var seal = new Seal
        {
            Id = versionId,
            AccountId = accountId,
            PhotoSetId = photoSetId,
            TriggerWord = trigger,
            PhotoCount = photos.Count,
            ThumbnailPhotoId = photos[0].Id,
            ConsentId = consent.Id,
        };
        _ = db.Seals.Add(seal);
        db.SealedPhotos.AddRange(DatasetManifest.Order(photos).Select((photo, index) => new SealedPhoto
        {
            SealId = versionId,
            Position = index + 1,
            AccountId = accountId,
            PhotoId = photo.Id,
            ObjectKey = ObjectKeys.Photo(accountId, photoSetId, photo.Id),
            Bytes = photo.Bytes,
            Sha256 = photo.Sha256,
            Crc32 = photo.Crc32,
            Caption = DatasetManifest.CaptionOf(photo.Caption, trigger),
        }));
        _ = await db.SaveChangesAsync(cancellationToken);
        return new SealedSet(seal.Id, seal.PhotoCount, seal.ThumbnailPhotoId);
    }
}
