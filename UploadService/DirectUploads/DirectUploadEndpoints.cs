using System.ComponentModel;
using System.Net.Http.Headers;
using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Storage;
using Flurrty.ServiceDefaults.Tickets;
using Flurrty.UploadService.Persistence;
using Flurrty.UploadService.PhotoSets;
using Flurrty.UploadService.Quotas;
using Flurrty.UploadService.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Flurrty.UploadService.DirectUploads;

/// <summary>A file that will be put. The URL of the answer takes exactly these bytes.</summary>
internal sealed record PromisedFile(
    [property: Description("Number of its bytes.")] long Size,
    [property: Description("SHA-256 of its bytes, 64 hexadecimal digits.")] string? Sha256,
    [property: Description("What the file is called; shown, never used as a path.")] string? Name = null,
    [property: Description("Its media type; application/octet-stream if left out.")] string? ContentType = null);

internal sealed record BeginUploads([property: Description("1 to 40 files.")] IReadOnlyList<PromisedFile?>? Files);

internal sealed record DirectUpload(
    Guid Id, string? FileName, string Method, string Url, IReadOnlyDictionary<string, string> Headers, DateTimeOffset UrlExpiresAt, DateTimeOffset ExpiresAt, string CompleteUrl);

internal sealed record BegunUploads(IReadOnlyList<DirectUpload> Uploads);

/// <summary>Direct uploads: the sender puts its photos into the store itself, then has them judged.</summary>
internal static class DirectUploadEndpoints
{
    private const string Binary = "application/octet-stream";

    public static RouteGroupBuilder MapDirectUploads(this IEndpointRouteBuilder routes)
    {
        var uploads = routes.MapGroup("/api/photo-sets/{photoSetId:guid}/uploads").WithTags("Direct uploads");
        uploads.MapPost("", BeginAsync).WithName("BeginUploads").WithSummary("Begin to upload photos directly to the store")
            .WithDescription("Name up to 40 files with size in bytes and SHA-256. For each there is a URL: send the file there with the method and the headers that are given, before the URL expires, then complete the upload. "
                + "A URL takes the promised bytes only and is a secret while it lives. Nobody can read what was put until it is completed and accepted.")
            .Produces<BegunUploads>(StatusCodes.Status201Created)
            .ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict).ProducesProblem(StatusCodes.Status413PayloadTooLarge)
            .ProducesProblem(StatusCodes.Status422UnprocessableEntity);
        uploads.MapPost("/{uploadId:guid}/complete", CompleteAsync).WithName("CompleteUpload").WithSummary("Complete a direct upload")
            .WithDescription("Reads what was put, compares it with what was promised, decodes it, and answers as an upload by form does. A repetition gives the same answer.")
            .Produces<UploadedPhotos>(StatusCodes.Status201Created)
            .ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict).ProducesProblem(StatusCodes.Status410Gone)
            .ProducesProblem(StatusCodes.Status422UnprocessableEntity).ProducesProblem(StatusCodes.Status503ServiceUnavailable);
        uploads.MapPost("/complete", CompleteAllAsync).WithName("CompleteUploads").WithSummary("Complete all direct uploads of a set")
            .WithDescription("Completes every direct upload of the set that has not expired; one answer for all, as an upload by form has it. Files that have not arrived are among the rejected, with `upload_not_received`, and can be completed later.")
            .Produces<UploadedPhotos>(StatusCodes.Status201Created)
            .ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict).ProducesProblem(StatusCodes.Status422UnprocessableEntity)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable);
        uploads.MapDelete("/{uploadId:guid}", AbandonAsync).WithName("AbandonUpload").WithSummary("Give up a direct upload")
            .WithDescription("Removes what was put. A photo that was accepted stays.").ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status410Gone);
        return uploads;
    }

    private static async Task<Created<BegunUploads>> BeginAsync(
        Guid photoSetId,
        BeginUploads body,
        HttpContext context,
        UploadsContext db,
        ObjectStore store,
        IOptions<DirectUploadOptions> options,
        IOptions<PhotoUploadOptions> limits,
        IOptions<QuotaOptions> quota,
        TimeProvider time,
        CancellationToken cancellationToken)
    {
        var accountId = context.GetCaller().AccountId;
        var uploads = await db.AsAccountAsync(
            accountId,
            async token =>
            {
                if (!await PhotoSetLock.TakeAsync(db, photoSetId, token))
                {
                    throw PhotoProblems.SetNotFound();
                }

                var files = Check(body, limits.Value);
                var expiresAt = await db.NowAsync(token) + options.Value.Lifetime;
                var begun = files.Zip(OrderedIds.Make(time, files.Count), (file, id) => new PendingUpload
                {
                    Id = id,
                    AccountId = accountId,
                    PhotoSetId = photoSetId,
                    Way = UploadWay.Direct,
                    FileName = FileNames.Clean(file.Name),
                    ContentType = file.ContentType ?? Binary,
                    Bytes = file.Size,
                    Sha256 = file.Sha256!.ToLowerInvariant(),
                    ExpiresAt = expiresAt,
                }).ToList();
                await PendingUploads.AdmitAsync(db, accountId, photoSetId, begun, quota.Value, token);
                return begun;
            },
            cancellationToken);
        context.Response.Headers.CacheControl = "no-store";
        var urlExpiresAt = time.GetUtcNow() + options.Value.UrlLifetime;
        return TypedResults.Created((string?)null, new BegunUploads([.. uploads.Select(upload => Describe(upload, store, options.Value.UrlLifetime, urlExpiresAt))]));
    }

    private static DirectUpload Describe(PendingUpload upload, ObjectStore store, TimeSpan lifetime, DateTimeOffset urlExpiresAt)
    {
        var put = store.PresignPut(KeyOf(upload), upload.Bytes, upload.ContentType ?? Binary, Convert.FromHexString(upload.Sha256!), lifetime);
        return new DirectUpload(
            upload.Id, upload.FileName, "PUT", put.Url.AbsoluteUri, put.Headers, urlExpiresAt, upload.ExpiresAt,
            $"/api/photo-sets/{upload.PhotoSetId}/uploads/{upload.Id}/complete");
    }

    private static async Task<IResult> CompleteAsync(
        Guid photoSetId, Guid uploadId, HttpContext context, UploadsContext db, QuarantineIntake intake, TimeProvider time, CancellationToken cancellationToken)
    {
        var upload = await db.AsAccountAsync(
            context.GetCaller().AccountId, async token => await PendingUploads.FindAsync(db, photoSetId, uploadId, UploadWay.Direct, token), cancellationToken);
        return UploadAnswer.Of(photoSetId, [await FinishAsync(upload, Guid.CreateVersion7(time.GetUtcNow()), db, intake, cancellationToken)]);
    }

    private static async Task<IResult> CompleteAllAsync(
        Guid photoSetId,
        HttpContext context,
        UploadsContext db,
        QuarantineIntake intake,
        IServiceScopeFactory scopes,
        IOptions<PhotoUploadOptions> options,
        TimeProvider time,
        CancellationToken cancellationToken)
    {
        var uploads = await db.AsAccountAsync(
            context.GetCaller().AccountId,
            async token =>
            {
                if (!await db.PhotoSets.AnyAsync(set => set.Id == photoSetId, token))
                {
                    throw PhotoProblems.SetNotFound();
                }

                var now = await db.NowAsync(token);
                return await db.PendingUploads.AsNoTracking()
                    .Where(upload => upload.PhotoSetId == photoSetId && upload.Way == UploadWay.Direct && upload.ExpiresAt > now)
                    .OrderBy(upload => upload.Id).ToListAsync(token);
            },
            cancellationToken);
        if (uploads.Count == 0)
        {
            throw UploadProblems.NotFound();
        }

        // Ids grow with the order of the files, whichever is stored first.
        var work = uploads.Zip(OrderedIds.Make(time, uploads.Count), (upload, photoId) => (Upload: upload, PhotoId: photoId)).Index().ToArray();
        var outcomes = new IntakeOutcome[work.Length];
        await Parallel.ForEachAsync(
            work,
            new ParallelOptions { MaxDegreeOfParallelism = options.Value.ConcurrentPhotosPerRequest, CancellationToken = cancellationToken },
            async (item, token) =>
            {
                await using var scope = scopes.CreateAsyncScope();
                outcomes[item.Index] = await FinishAsync(item.Item.Upload, item.Item.PhotoId, scope.ServiceProvider.GetRequiredService<UploadsContext>(), intake, token);
            });
        return UploadAnswer.Of(photoSetId, outcomes);
    }

    private static async Task<IntakeOutcome> FinishAsync(
        PendingUpload upload, Guid photoId, UploadsContext db, QuarantineIntake intake, CancellationToken cancellationToken)
    {
        if (!upload.IsDone && await intake.TakeAsync(upload, [KeyOf(upload)], photoId, cancellationToken) is { } outcome)
        {
            return outcome;
        }

        // Nothing was put, or another request has completed it and its bytes are gone.
        return await db.AsAccountAsync(
            upload.AccountId,
            async token =>
            {
                var now = await PendingUploads.FindAsync(db, upload.PhotoSetId, upload.Id, upload.Way, token);
                return now.IsDone ? await PendingUploads.OutcomeOfAsync(db, now, token) : new IntakeOutcome(upload.FileName, Photo: null, UploadProblems.NotReceived);
            },
            cancellationToken);
    }

    private static async Task<NoContent> AbandonAsync(
        Guid photoSetId, Guid uploadId, HttpContext context, UploadsContext db, RemovalSignal removals, CancellationToken cancellationToken)
    {
        await db.AsAccountAsync(
            context.GetCaller().AccountId,
            async token => await PendingUploads.AbandonAsync(db, await PendingUploads.LockAsync(db, photoSetId, uploadId, UploadWay.Direct, token), token),
            cancellationToken);
        removals.Raise();
        return TypedResults.NoContent();
    }

    private static string KeyOf(PendingUpload upload) => $"{ObjectKeys.Quarantine(upload.AccountId, upload.Id)}photo";

    private static List<PromisedFile> Check(BeginUploads body, PhotoUploadOptions limits)
    {
        var files = (body.Files ?? []).OfType<PromisedFile>().ToList();
        if (files.Count == 0 || files.Count != body.Files!.Count)
        {
            throw UploadProblems.FilesMissing();
        }

        if (files.Count > PhotoSet.MostPhotos)
        {
            throw PhotoProblems.TooMany.AsException();
        }

        foreach (var file in files)
        {
            if (file.Size < 1)
            {
                throw UploadProblems.InvalidSize(limits.MaxPhotoBytes);
            }

            if (file.Size > limits.MaxPhotoBytes)
            {
                throw PhotoProblems.TooLarge(limits.MaxPhotoBytes).AsException();
            }

            if (file.Sha256 is not { Length: 64 } || !file.Sha256.All(char.IsAsciiHexDigit))
            {
                throw UploadProblems.InvalidSha256();
            }

            if (file.ContentType is { } type && (type.Length > PendingUpload.LongestContentType || !MediaTypeHeaderValue.TryParse(type, out var parsed) || parsed.Parameters.Count > 0))
            {
                throw UploadProblems.InvalidContentType();
            }
        }

        return files;
    }
}
