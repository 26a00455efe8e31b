using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Problems;
using Flurrty.ServiceDefaults.Storage;
using Flurrty.ServiceDefaults.Tickets;
using Flurrty.UploadService.Persistence;
using Flurrty.UploadService.Reports;
using Flurrty.UploadService.Storage;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;

namespace Flurrty.UploadService.PhotoSets;

internal sealed record PhotoDetail(
    Guid Id, string? FileName, int Width, int Height, long Bytes, string Sha256, string SourceSha256, string? Caption, string ThumbnailUrl, string? OriginalUrl,
    DateTimeOffset CreatedAt, PhotoReport Report)
{
    /// <param name="photo">The photo.</param>
    /// <param name="report">Its report as one of its set; without it, it is judged by itself.</param>
    public static PhotoDetail Of(Photo photo, PhotoReport? report = null) => new(
        photo.Id, photo.FileName, photo.Width, photo.Height, photo.Bytes, photo.Sha256, photo.SourceSha256, photo.Caption,
        $"/api/photo-sets/{photo.PhotoSetId}/photos/{photo.Id}/thumbnail",
        photo.OriginalBytes > 0 ? $"/api/photo-sets/{photo.PhotoSetId}/photos/{photo.Id}/original" : null, photo.CreatedAt,
        report ?? Inspection.OfOne(photo));
}

internal sealed record RejectedPhoto(string? FileName, string Code, string Title, string Detail);

internal sealed record UploadedPhotos(IReadOnlyList<PhotoDetail> Photos, IReadOnlyList<RejectedPhoto> Rejected);

internal sealed record CaptionPhoto(string? Caption);

/// <summary>Photos of a set: add, look, caption, delete.</summary>
internal static class PhotoEndpoints
{
    private const string Jpeg = "image/jpeg";

    public static RouteGroupBuilder MapPhotos(this IEndpointRouteBuilder routes)
    {
        var photos = routes.MapGroup("/api/photo-sets/{photoSetId:guid}/photos").WithTags("Photos");
        photos.MapPost("", AddAsync).WithName("AddPhotos").WithSummary("Add photos to a set")
            .WithDescription("A multipart form with one or more files in the field `photos`: JPEG, PNG, WebP, HEIC or AVIF, up to 20 MB each and 40 in a set. Each is judged by itself: "
                + "the answer lists the accepted ones and, with code and reason, the rejected ones. If none was accepted the answer is the problem of the first. "
                + "A file that is in the set already is returned again and not stored twice, so a repeated request does no harm. Metadata is not kept, unless the set keeps originals. "
                + "The answer's `report` judges each photo by itself; the set's list compares it with the others as well.")
            .WithMetadata(new MultipartBody())
            .Produces<UploadedPhotos>(StatusCodes.Status201Created)
            .ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status413PayloadTooLarge)
            .ProducesProblem(StatusCodes.Status415UnsupportedMediaType).ProducesProblem(StatusCodes.Status422UnprocessableEntity);
        photos.MapGet("/{photoId:guid}", GetAsync).WithName("GetPhoto").WithSummary("Look at a photo's data")
            .WithDescription("What is known of the photo, with its report as one of its set. Its picture is at `content` and `thumbnail` below this address.").ProducesProblem(StatusCodes.Status404NotFound);
        photos.MapGet("/{photoId:guid}/content", ReadContentAsync).WithName("ReadPhoto").WithSummary("Read the photo")
            .WithDescription("The stored JPEG: upright, sRGB, without metadata.")
            .Produces(StatusCodes.Status200OK, contentType: Jpeg).ProducesProblem(StatusCodes.Status404NotFound);
        photos.MapGet("/{photoId:guid}/thumbnail", ReadThumbnailAsync).WithName("ReadThumbnail").WithSummary("Read the photo's thumbnail")
            .WithDescription("A square JPEG of 200 pixels.")
            .Produces(StatusCodes.Status200OK, contentType: Jpeg).ProducesProblem(StatusCodes.Status404NotFound);
        photos.MapGet("/{photoId:guid}/original", ReadOriginalAsync).WithName("ReadOriginal").WithSummary("Read the original")
            .WithDescription("The very bytes that were sent, with all their metadata, such as the place where the photo was taken. Only of sets that were started with `keep_originals`.")
            .Produces(StatusCodes.Status200OK, responseType: null, Jpeg, "image/png", "image/webp", "image/heic", "image/avif").ProducesProblem(StatusCodes.Status404NotFound);
        photos.MapPatch("/{photoId:guid}", CaptionAsync).WithName("CaptionPhoto").WithSummary("Caption a photo")
            .WithDescription("Sets the text that the training is told about this photo; null or an empty text goes back to the default. "
                + "`{trigger}` stands for the trigger word. Trainings that were started before keep the caption they had.")
            .ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status422UnprocessableEntity);
        photos.MapDelete("/{photoId:guid}", DeleteAsync).WithName("DeletePhoto").WithSummary("Delete a photo")
            .WithDescription("Deletes the photo from the set. A training that has sealed it before keeps its copy.").ProducesProblem(StatusCodes.Status404NotFound);
        return photos;
    }

    private static async Task<IResult> AddAsync(
        Guid photoSetId, HttpContext context, UploadsContext db, PhotoUpload upload, IOptions<PhotoUploadOptions> options, CancellationToken cancellationToken)
    {
        var accountId = context.GetCaller().AccountId;
        if (!await db.AsAccountAsync(accountId, async token => await db.PhotoSets.AnyAsync(set => set.Id == photoSetId, token), cancellationToken))
        {
            throw PhotoProblems.SetNotFound();
        }

        Admit(context, options.Value);
        var outcomes = await upload.ReceiveAsync(accountId, photoSetId, context.Request, cancellationToken);
        return UploadAnswer.Of(photoSetId, outcomes);
    }

    // A set full of the largest photos passes, with some room for the form itself.
    private static void Admit(HttpContext context, PhotoUploadOptions options)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = (PhotoSet.MostPhotos + 5L) * (options.MaxPhotoBytes + (1024 * 1024));
        }

        // Over HTTP/2 there is no rate of one request; the gateway watches its callers.
        if (HttpProtocol.IsHttp11(context.Request.Protocol) && context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = new MinDataRate(bytesPerSecond: 1024, gracePeriod: TimeSpan.FromSeconds(15));
        }
    }

    private static async Task<Ok<PhotoDetail>> GetAsync(
        Guid photoSetId, Guid photoId, HttpContext context, UploadsContext db, IFaceFinder faces, CancellationToken cancellationToken) =>
        TypedResults.Ok(await db.AsAccountAsync(
            context.GetCaller().AccountId,
            async token =>
            {
                var photos = await db.Photos.AsNoTracking().Where(row => row.PhotoSetId == photoSetId).OrderBy(row => row.Id).ToListAsync(token);
                var photo = photos.Find(row => row.Id == photoId) ?? throw PhotoProblems.PhotoNotFound();
                return PhotoDetail.Of(photo, Inspection.Of(photos, faces).Photos[photoId]);
            },
            cancellationToken));

    private static async Task<IResult> ReadContentAsync(
        Guid photoSetId, Guid photoId, HttpContext context, UploadsContext db, ObjectStore store, CancellationToken cancellationToken)
    {
        var photo = await FindAsync(photoSetId, photoId, context, db, cancellationToken);
        return await StreamAsync(context, store, ObjectKeys.Photo(photo.AccountId, photoSetId, photoId), photo.Bytes, photo.Sha256, Jpeg, cancellationToken);
    }

    private static async Task<IResult> ReadOriginalAsync(
        Guid photoSetId, Guid photoId, HttpContext context, UploadsContext db, ObjectStore store, CancellationToken cancellationToken)
    {
        var photo = await FindAsync(photoSetId, photoId, context, db, cancellationToken);
        if (photo.OriginalBytes == 0)
        {
            throw PhotoProblems.OriginalNotKept();
        }

        // It is somebody's file as it came: saved, never shown on this origin.
        context.Response.GetTypedHeaders().ContentDisposition = new ContentDispositionHeaderValue("attachment") { FileName = $"{photo.Id:n}.{photo.SourceFormat}" };
        return await StreamAsync(
            context, store, ObjectKeys.Original(photo.AccountId, photoSetId, photoId), photo.OriginalBytes, photo.SourceSha256, $"image/{photo.SourceFormat}", cancellationToken);
    }

    private static async Task<IResult> ReadThumbnailAsync(
        Guid photoSetId, Guid photoId, HttpContext context, UploadsContext db, ObjectStore store, CancellationToken cancellationToken)
    {
        var photo = await FindAsync(photoSetId, photoId, context, db, cancellationToken);
        return await StreamAsync(context, store, ObjectKeys.Thumbnail(photo.AccountId, photoSetId, photoId), photo.ThumbnailBytes, $"{photo.Sha256}-t", Jpeg, cancellationToken);
    }

    private static async Task<IResult> StreamAsync(
        HttpContext context, ObjectStore store, string key, long length, string tag, string mediaType, CancellationToken cancellationToken)
    {
        var etag = new EntityTagHeaderValue($"\"{tag}\"");
        context.Response.GetTypedHeaders().ETag = etag;

        // A photo's id is never given to other bytes.
        context.Response.GetTypedHeaders().CacheControl = new CacheControlHeaderValue { Private = true, MaxAge = TimeSpan.FromDays(1) };
        context.Response.Headers.XContentTypeOptions = "nosniff";
        if (context.Request.GetTypedHeaders().IfNoneMatch.Any(known => known.Compare(etag, useStrongComparison: false)))
        {
            return TypedResults.StatusCode(StatusCodes.Status304NotModified);
        }

        Stream content;
        try
        {
            content = await store.GetAsync(key, cancellationToken);
        }
        catch (Exception problem) when (StoreFailures.Is(problem, cancellationToken))
        {
            context.Response.Headers.Remove(HeaderNames.ETag);
            context.Response.GetTypedHeaders().CacheControl = new CacheControlHeaderValue { NoStore = true };
            throw PhotoProblems.StorageUnavailable();
        }

        context.Response.RegisterForDisposeAsync(content);
        context.Response.ContentLength = length;
        return TypedResults.Stream(content, mediaType);
    }

    private static async Task<Ok<PhotoDetail>> CaptionAsync(
        Guid photoSetId, Guid photoId, CaptionPhoto body, HttpContext context, UploadsContext db, CancellationToken cancellationToken)
    {
        var caption = body.Caption?.Trim();
        if (caption is { Length: > Photo.LongestCaption } || caption?.Any(char.IsControl) == true)
        {
            throw new ProblemException(422, "invalid_caption", "The caption cannot be used.", $"Give at most {Photo.LongestCaption} characters in one line.");
        }

        return TypedResults.Ok(await db.AsAccountAsync(
            context.GetCaller().AccountId,
            async token =>
            {
                var photo = await db.Photos.FirstOrDefaultAsync(row => row.Id == photoId && row.PhotoSetId == photoSetId, token) ?? throw PhotoProblems.PhotoNotFound();
                photo.Caption = string.IsNullOrEmpty(caption) ? null : caption;
                _ = await db.SaveChangesAsync(token);
                return PhotoDetail.Of(photo);
            },
            cancellationToken));
    }

    private static async Task<NoContent> DeleteAsync(
        Guid photoSetId, Guid photoId, HttpContext context, UploadsContext db, RemovalSignal removals, CancellationToken cancellationToken)
    {
        var accountId = context.GetCaller().AccountId;
        await db.AsAccountAsync(
            accountId,
            async token =>
            {
                if (!await PhotoSetLock.TakeAsync(db, photoSetId, token) || !await db.Photos.AnyAsync(photo => photo.Id == photoId && photo.PhotoSetId == photoSetId, token))
                {
                    throw PhotoProblems.PhotoNotFound();
                }

                await PhotoRemoval.DeleteAsync(db, accountId, photoSetId, [photoId], token);
            },
            cancellationToken);
        removals.Raise();
        return TypedResults.NoContent();
    }

    private static async Task<Photo> FindAsync(Guid photoSetId, Guid photoId, HttpContext context, UploadsContext db, CancellationToken cancellationToken) =>
        await db.AsAccountAsync(
            context.GetCaller().AccountId,
            async token => await db.Photos.AsNoTracking().FirstOrDefaultAsync(photo => photo.Id == photoId && photo.PhotoSetId == photoSetId, token)
                ?? throw PhotoProblems.PhotoNotFound(),
            cancellationToken);
}
