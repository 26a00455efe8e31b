using System.Globalization;
using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Tickets;
using Flurrty.UploadService.Persistence;
using Flurrty.UploadService.PhotoSets;
using Flurrty.UploadService.Quotas;
using Flurrty.UploadService.Storage;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Options;

namespace Flurrty.UploadService.ResumableUploads;

internal sealed record ResumableUploadDetail(
    Guid Id, string? FileName, string State, long Bytes, long Received, DateTimeOffset ExpiresAt, PhotoDetail? Photo, RejectedPhoto? Rejected);

/// <summary>Resumable uploads of one photo each, by the tus 1.0 protocol: core, creation, termination, expiration and checksum.</summary>
internal static class ResumableUploadEndpoints
{
    private const int NoContent = StatusCodes.Status204NoContent;

    public static RouteGroupBuilder MapResumableUploads(this IEndpointRouteBuilder routes)
    {
        var uploads = routes.MapGroup("/api/photo-sets/{photoSetId:guid}/tus").WithTags("Resumable uploads");
        uploads.MapMethods("", [HttpMethods.Options], Describe).AddEndpointFilter(SpeakTus).WithName("DescribeResumableUploads").WithSummary("Ask what the tus server can")
            .WithDescription("Versions, extensions and the largest size, in the headers of the tus 1.0 protocol.").Produces(NoContent);
        uploads.MapPost("", BeginAsync).AddEndpointFilter(RequireTus).WithName("BeginResumableUpload").WithSummary("Begin a resumable upload")
            .WithDescription("For one large photo over a connection that may break, with any tus 1.0 client. `Upload-Length` is required. `Upload-Metadata` may have `filename`, `filetype` and `sha256` (64 hexadecimal digits). "
                + "The answer's Location takes the bytes; it expires at `Upload-Expires`.")
            .Produces(StatusCodes.Status201Created)
            .ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict)
            .ProducesProblem(StatusCodes.Status412PreconditionFailed).ProducesProblem(StatusCodes.Status413PayloadTooLarge).ProducesProblem(StatusCodes.Status422UnprocessableEntity);
        uploads.MapMethods("/{uploadId:guid}", [HttpMethods.Head], StandAsync).AddEndpointFilter(RequireTus).WithName("FindResumableUpload").WithSummary("Ask where a resumable upload stands")
            .WithDescription("`Upload-Offset` is the number of bytes that are kept: continue from there.").Produces(StatusCodes.Status200OK)
            .ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status410Gone).ProducesProblem(StatusCodes.Status412PreconditionFailed);
        uploads.MapPatch("/{uploadId:guid}", ReceiveAsync).AddEndpointFilter(RequireTus).WithName("ContinueResumableUpload").WithSummary("Send bytes of a resumable upload")
            .WithDescription("The body is bytes from `Upload-Offset` on. What arrives of a request that breaks is kept. With the last byte the photo is judged as one of a form is: "
                + "204 with its address in Content-Location, or the problem that it has. `Upload-Checksum` may have the sha1 or sha256 of the body.")
            .Accepts<Stream>(Tus.ContentType).Produces(NoContent)
            .ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict).ProducesProblem(StatusCodes.Status410Gone)
            .ProducesProblem(StatusCodes.Status412PreconditionFailed).ProducesProblem(StatusCodes.Status413PayloadTooLarge).ProducesProblem(StatusCodes.Status415UnsupportedMediaType)
            .ProducesProblem(StatusCodes.Status422UnprocessableEntity).ProducesProblem(StatusCodes.Status503ServiceUnavailable);
        uploads.MapDelete("/{uploadId:guid}", AbandonAsync).AddEndpointFilter(RequireTus).WithName("AbandonResumableUpload").WithSummary("Give up a resumable upload")
            .WithDescription("Removes what was received. A photo that was accepted stays.").Produces(NoContent)
            .ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status410Gone).ProducesProblem(StatusCodes.Status412PreconditionFailed);
        uploads.MapGet("/{uploadId:guid}", GetAsync).WithName("GetResumableUpload").WithSummary("See what became of a resumable upload")
            .WithDescription("Its state: `receiving`, `accepted` with the photo, or `rejected` with code and reason. Not a part of tus.")
            .ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status410Gone);
        return uploads;
    }

    private static NoContent Describe(HttpContext context, IOptions<PhotoUploadOptions> limits)
    {
        var headers = context.Response.Headers;
        headers["Tus-Version"] = Tus.Version;
        headers["Tus-Extension"] = Tus.Extensions;
        headers["Tus-Checksum-Algorithm"] = Tus.ChecksumAlgorithms;
        headers["Tus-Max-Size"] = limits.Value.MaxPhotoBytes.ToString(CultureInfo.InvariantCulture);
        return TypedResults.NoContent();
    }

    private static async Task<Created> BeginAsync(
        Guid photoSetId,
        [FromHeader(Name = Tus.UploadLength)] string? uploadLength,
        [FromHeader(Name = Tus.Metadata)] string? uploadMetadata,
        HttpContext context,
        UploadsContext db,
        IOptions<ResumableUploadOptions> options,
        IOptions<PhotoUploadOptions> limits,
        IOptions<QuotaOptions> quota,
        TimeProvider time,
        CancellationToken cancellationToken)
    {
        var accountId = context.GetCaller().AccountId;
        var upload = await db.AsAccountAsync(
            accountId,
            async token =>
            {
                if (!await PhotoSetLock.TakeAsync(db, photoSetId, token))
                {
                    throw PhotoProblems.SetNotFound();
                }

                var metadata = UploadMetadata.Parse(uploadMetadata);
                var begun = new PendingUpload
                {
                    Id = Guid.CreateVersion7(time.GetUtcNow()),
                    AccountId = accountId,
                    PhotoSetId = photoSetId,
                    Way = UploadWay.Resumable,
                    FileName = metadata.FileName,
                    Metadata = uploadMetadata,
                    Bytes = CheckLength(uploadLength, limits.Value),
                    Sha256 = metadata.Sha256,
                    ExpiresAt = await db.NowAsync(token) + options.Value.Lifetime,
                };
                await PendingUploads.AdmitAsync(db, accountId, photoSetId, [begun], quota.Value, token);
                return begun;
            },
            cancellationToken);
        Show(context, upload, offset: 0);
        return TypedResults.Created(AddressOf(upload));
    }

    private static async Task<Ok> StandAsync(Guid photoSetId, Guid uploadId, HttpContext context, UploadsContext db, CancellationToken cancellationToken)
    {
        var upload = await FindAsync(photoSetId, uploadId, context, db, cancellationToken);
        if (upload.Refusal is not null)
        {
            // There is nothing left to continue; GET says why.
            throw UploadProblems.Expired();
        }

        Show(context, upload, upload.Received);
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers[Tus.UploadLength] = upload.Bytes.ToString(CultureInfo.InvariantCulture);
        if (upload.Metadata is { Length: > 0 } metadata)
        {
            context.Response.Headers[Tus.Metadata] = metadata;
        }

        return TypedResults.Ok();
    }

    private static async Task<NoContent> ReceiveAsync(
        Guid photoSetId,
        Guid uploadId,
        [FromHeader(Name = Tus.UploadOffset)] string? uploadOffset,
        [FromHeader(Name = Tus.Checksum)] string? uploadChecksum,
        HttpContext context,
        UploadsContext db,
        ResumableReceiver receiver,
        IOptions<PhotoUploadOptions> limits,
        CancellationToken cancellationToken)
    {
        if (!string.Equals(context.Request.ContentType, Tus.ContentType, StringComparison.OrdinalIgnoreCase))
        {
            throw TusProblems.ContentTypeRequired();
        }

        var offset = Tus.Number(uploadOffset) ?? throw TusProblems.OffsetRequired();
        using var checksum = ChunkChecksum.Parse(uploadChecksum);
        var upload = await ContinueAsync(photoSetId, uploadId, offset, context, db, cancellationToken);
        if (context.Request.ContentLength > upload.Bytes - offset)
        {
            throw TusProblems.TooLong(upload.Bytes);
        }

        Admit(context, limits.Value);
        var (received, outcome) = upload.IsDone
            ? (upload.Bytes, await db.AsAccountAsync(upload.AccountId, async token => await PendingUploads.OutcomeOfAsync(db, upload, token), cancellationToken))
            : await receiver.ReceiveAsync(db, upload, context.Request.Body, checksum, cancellationToken);
        if (outcome is { Problem: { } problem })
        {
            throw problem.AsException();
        }

        Show(context, upload, received);
        if (outcome is { Photo: { } photo })
        {
            context.Response.Headers.ContentLocation = $"/api/photo-sets/{photoSetId}/photos/{photo.Id}";
        }

        return TypedResults.NoContent();
    }

    /// <summary>Makes this request the one that may add to the upload.</summary>
    private static async Task<PendingUpload> ContinueAsync(
        Guid photoSetId, Guid uploadId, long offset, HttpContext context, UploadsContext db, CancellationToken cancellationToken) =>
        await db.AsAccountAsync(
            context.GetCaller().AccountId,
            async token =>
            {
                var upload = await PendingUploads.LockAsync(db, photoSetId, uploadId, UploadWay.Resumable, token);
                if (upload.Refusal is { } refusal)
                {
                    throw refusal.AsException();
                }

                if (offset != upload.Received)
                {
                    throw TusProblems.OffsetMismatch(upload.Received);
                }

                upload.Writes++;
                _ = await db.SaveChangesAsync(token);
                return upload;
            },
            cancellationToken);

    private static async Task<NoContent> AbandonAsync(
        Guid photoSetId, Guid uploadId, HttpContext context, UploadsContext db, RemovalSignal removals, CancellationToken cancellationToken)
    {
        await db.AsAccountAsync(
            context.GetCaller().AccountId,
            async token => await PendingUploads.AbandonAsync(db, await PendingUploads.LockAsync(db, photoSetId, uploadId, UploadWay.Resumable, token), token),
            cancellationToken);
        removals.Raise();
        return TypedResults.NoContent();
    }

    private static async Task<Ok<ResumableUploadDetail>> GetAsync(Guid photoSetId, Guid uploadId, HttpContext context, UploadsContext db, CancellationToken cancellationToken)
    {
        var upload = await FindAsync(photoSetId, uploadId, context, db, cancellationToken);
        var outcome = upload.IsDone
            ? await db.AsAccountAsync(upload.AccountId, async token => await PendingUploads.OutcomeOfAsync(db, upload, token), cancellationToken)
            : null;
        var rejected = outcome?.Problem is { } problem ? new RejectedPhoto(upload.FileName, problem.Code, problem.Title, problem.Detail) : null;
        var photo = outcome?.Photo is { } accepted ? PhotoDetail.Of(accepted) : null;
        var state = (photo, rejected) switch { (not null, _) => "accepted", (_, not null) => "rejected", _ => "receiving" };
        return TypedResults.Ok(new ResumableUploadDetail(upload.Id, upload.FileName, state, upload.Bytes, upload.Received, upload.ExpiresAt, photo, rejected));
    }

    private static async Task<PendingUpload> FindAsync(Guid photoSetId, Guid uploadId, HttpContext context, UploadsContext db, CancellationToken cancellationToken) =>
        await db.AsAccountAsync(
            context.GetCaller().AccountId, async token => await PendingUploads.FindAsync(db, photoSetId, uploadId, UploadWay.Resumable, token), cancellationToken);

    private static void Show(HttpContext context, PendingUpload upload, long offset)
    {
        context.Response.Headers[Tus.UploadOffset] = offset.ToString(CultureInfo.InvariantCulture);
        context.Response.Headers[Tus.Expires] = upload.ExpiresAt.ToString("R", CultureInfo.InvariantCulture);
    }

    private static string AddressOf(PendingUpload upload) => $"/api/photo-sets/{upload.PhotoSetId}/tus/{upload.Id}";

    private static long CheckLength(string? text, PhotoUploadOptions limits)
    {
        var length = Tus.Number(text) ?? throw TusProblems.LengthRequired();
        if (length > limits.MaxPhotoBytes)
        {
            throw PhotoProblems.TooLarge(limits.MaxPhotoBytes).AsException();
        }

        return length > 0 ? length : throw UploadProblems.InvalidSize(limits.MaxPhotoBytes);
    }

    private static void Admit(HttpContext context, PhotoUploadOptions limits)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = limits.MaxPhotoBytes + 1L;
        }

        // Over HTTP/2 there is no rate of one request; the gateway watches its callers.
        if (HttpProtocol.IsHttp11(context.Request.Protocol) && context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = new MinDataRate(bytesPerSecond: 1024, gracePeriod: TimeSpan.FromSeconds(15));
        }
    }

    private static ValueTask<object?> SpeakTus(EndpointFilterInvocationContext invocation, EndpointFilterDelegate next)
    {
        Announce(invocation.HttpContext);
        return next(invocation);
    }

    private static ValueTask<object?> RequireTus(EndpointFilterInvocationContext invocation, EndpointFilterDelegate next)
    {
        var context = invocation.HttpContext;
        Announce(context);
        return string.Equals(context.Request.Headers[Tus.Resumable], Tus.Version, StringComparison.Ordinal) ? next(invocation) : throw TusProblems.VersionUnsupported();
    }

    // When the answer starts, so that problems have them too.
    private static void Announce(HttpContext context) => context.Response.OnStarting(() =>
    {
        context.Response.Headers[Tus.Resumable] = Tus.Version;
        if (context.Response.StatusCode == StatusCodes.Status412PreconditionFailed)
        {
            context.Response.Headers["Tus-Version"] = Tus.Version;
        }

        return Task.CompletedTask;
    });
}
