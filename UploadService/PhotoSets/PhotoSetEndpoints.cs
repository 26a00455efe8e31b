using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Problems;
using Flurrty.ServiceDefaults.Tickets;
using Flurrty.UploadService.Consents;
using Flurrty.UploadService.Persistence;
using Flurrty.UploadService.Reports;
using Flurrty.UploadService.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Flurrty.UploadService.PhotoSets;

internal sealed record StartPhotoSet(string? Name, bool KeepOriginals = false);

internal sealed record NamePhotoSet(string? Name);

internal sealed record PhotoSetSummary(Guid Id, string Name, int PhotoCount, bool KeepOriginals, DateTimeOffset CreatedAt);

internal sealed record PhotoSetDetail(
    Guid Id, string Name, int PhotoCount, bool KeepOriginals, DateTimeOffset CreatedAt, PhotoSetReport Report, IReadOnlyList<PhotoDetail> Photos, ConsentDetail? Consent);

internal sealed record PhotoSetPage(IReadOnlyList<PhotoSetSummary> Items, string? NextCursor);

/// <summary>Photo sets: make, list, look, rename, delete.</summary>
internal static class PhotoSetEndpoints
{
    private const int LargestPage = 100;

    public static RouteGroupBuilder MapPhotoSets(this IEndpointRouteBuilder routes)
    {
        var sets = routes.MapGroup("/api/photo-sets").WithTags("Photo sets");
        sets.MapPost("", CreateAsync).WithName("CreatePhotoSet").WithSummary("Start a photo set")
            .WithDescription("Starts an empty set. A training needs 3 to 40 photos in it. With `keep_originals` the files that are sent stay beside the photos made of them, with all their metadata, and count towards the quota; "
                + "without it they are never stored.")
            .ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status422UnprocessableEntity);
        sets.MapGet("", ListAsync).WithName("ListPhotoSets").WithSummary("List your photo sets")
            .WithDescription("Newest first. `next_cursor` of one page is `cursor` of the next; it is null on the last.")
            .ProducesProblem(StatusCodes.Status400BadRequest);
        sets.MapGet("/{photoSetId:guid}", GetAsync).WithName("GetPhotoSet").WithSummary("Look at a photo set")
            .WithDescription("The set with its photos in the order they were sent, the consent that was given for it, and `report`: whether it is worth a training (`good`, `usable` or `poor`), and why.")
            .ProducesProblem(StatusCodes.Status404NotFound);
        sets.MapPatch("/{photoSetId:guid}", RenameAsync).WithName("RenamePhotoSet").WithSummary("Rename a photo set")
            .WithDescription("Changes the name alone.").ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status422UnprocessableEntity);
        sets.MapDelete("/{photoSetId:guid}", DeleteAsync).WithName("DeletePhotoSet").WithSummary("Delete a photo set")
            .WithDescription("Deletes the set and its photos. What a training has sealed before stays with that training.").ProducesProblem(StatusCodes.Status404NotFound);
        return sets;
    }

    private static async Task<Created<PhotoSetSummary>> CreateAsync(StartPhotoSet body, HttpContext context, UploadsContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        var set = new PhotoSet { Id = Guid.CreateVersion7(time.GetUtcNow()), AccountId = context.GetCaller().AccountId, Name = CheckName(body.Name), KeepsOriginals = body.KeepOriginals };
        await db.AsAccountAsync(
            set.AccountId,
            async token =>
            {
                _ = db.PhotoSets.Add(set);
                _ = await db.SaveChangesAsync(token);
            },
            cancellationToken);
        return TypedResults.Created($"/api/photo-sets/{set.Id}", new PhotoSetSummary(set.Id, set.Name, 0, set.KeepsOriginals, set.CreatedAt));
    }

    private static async Task<Ok<PhotoSetPage>> ListAsync(
        HttpContext context, UploadsContext db, CancellationToken cancellationToken, [FromQuery] Guid? cursor = null, [FromQuery] int limit = 50)
    {
        if (limit is < 1 or > LargestPage)
        {
            throw new ProblemException(400, "invalid_limit", "The page size is out of range.", $"Ask for 1 to {LargestPage} at a time.");
        }

        var sets = await db.AsAccountAsync(
            context.GetCaller().AccountId,
            async token => await db.PhotoSets.AsNoTracking().Where(set => cursor == null || set.Id < cursor)
                .OrderByDescending(set => set.Id).Take(limit + 1)
                .Select(set => new PhotoSetSummary(set.Id, set.Name, db.Photos.Count(photo => photo.PhotoSetId == set.Id), set.KeepsOriginals, set.CreatedAt))
                .ToListAsync(token),
            cancellationToken);
        var next = sets.Count > limit ? sets[limit - 1].Id.ToString() : null;
        return TypedResults.Ok(new PhotoSetPage([.. sets.Take(limit)], next));
    }

    private static async Task<Ok<PhotoSetDetail>> GetAsync(
        Guid photoSetId, HttpContext context, UploadsContext db, IOptions<ConsentOptions> text, IFaceFinder faces, CancellationToken cancellationToken) =>
        TypedResults.Ok(await db.AsAccountAsync(
            context.GetCaller().AccountId,
            async token =>
            {
                var set = await db.PhotoSets.AsNoTracking().FirstOrDefaultAsync(row => row.Id == photoSetId, token) ?? throw PhotoProblems.SetNotFound();
                var photos = await db.Photos.AsNoTracking().Where(photo => photo.PhotoSetId == photoSetId).OrderBy(photo => photo.Id).ToListAsync(token);
                var consent = await SetConsents.FindLatestAsync(db, photoSetId, token);
                var trigger = await db.Seals.Where(seal => seal.PhotoSetId == photoSetId).OrderByDescending(seal => seal.Id).Select(seal => seal.TriggerWord).FirstOrDefaultAsync(token);
                var inspection = Inspection.Of(photos, faces, trigger);
                return new PhotoSetDetail(
                    set.Id, set.Name, photos.Count, set.KeepsOriginals, set.CreatedAt, inspection.Set, [.. photos.Select(photo => PhotoDetail.Of(photo, inspection.Photos[photo.Id]))],
                    consent is null ? null : ConsentDetail.Of(consent, text.Value));
            },
            cancellationToken));

    private static async Task<Ok<PhotoSetSummary>> RenameAsync(
        Guid photoSetId, NamePhotoSet body, HttpContext context, UploadsContext db, CancellationToken cancellationToken)
    {
        var name = CheckName(body.Name);
        return TypedResults.Ok(await db.AsAccountAsync(
            context.GetCaller().AccountId,
            async token =>
            {
                var set = await db.PhotoSets.FirstOrDefaultAsync(row => row.Id == photoSetId, token) ?? throw PhotoProblems.SetNotFound();
                set.Name = name;
                _ = await db.SaveChangesAsync(token);
                return new PhotoSetSummary(set.Id, set.Name, await db.Photos.CountAsync(photo => photo.PhotoSetId == photoSetId, token), set.KeepsOriginals, set.CreatedAt);
            },
            cancellationToken));
    }

    private static async Task<NoContent> DeleteAsync(Guid photoSetId, HttpContext context, UploadsContext db, RemovalSignal removals, CancellationToken cancellationToken)
    {
        var accountId = context.GetCaller().AccountId;
        await db.AsAccountAsync(
            accountId,
            async token =>
            {
                if (!await PhotoSetLock.TakeAsync(db, photoSetId, token))
                {
                    throw PhotoProblems.SetNotFound();
                }

                var photoIds = await db.Photos.Where(photo => photo.PhotoSetId == photoSetId).Select(photo => photo.Id).ToListAsync(token);
                await PhotoRemoval.DeleteAsync(db, accountId, photoSetId, photoIds, token);
                await PendingUploads.AbandonAllAsync(db, photoSetId, token);
                await SetConsents.DeleteUnusedAsync(db, photoSetId, token);
                _ = await db.PhotoSets.Where(set => set.Id == photoSetId).ExecuteDeleteAsync(token);
            },
            cancellationToken);
        removals.Raise();
        return TypedResults.NoContent();
    }

    private static string CheckName(string? name)
    {
        var trimmed = name?.Trim() ?? "";
        return trimmed.Length is > 0 and <= PhotoSet.LongestName && !trimmed.Any(char.IsControl)
            ? trimmed
            : throw new ProblemException(422, "invalid_name", "The name cannot be used.", $"Give a name of 1 to {PhotoSet.LongestName} characters in one line.");
    }
}
