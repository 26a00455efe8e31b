using System.Net;
using Flurrty.RegistryService.Persistence;
using Flurrty.RegistryService.Versions;
using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Problems;
using Flurrty.ServiceDefaults.Tickets;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using Microsoft.Net.Http.Headers;

namespace Flurrty.RegistryService.Identities;

/// <summary>GET /api/identities/{id}/model: the LoRA file of the active version, streamed from the store that keeps it.</summary>
internal static partial class DownloadModel
{
    private const string ContentType = "application/octet-stream";
    private const string RetryAfterSeconds = "5";

    public static void Map(IEndpointRouteBuilder routes) => routes
        .MapMethods("/{id:guid}/model", [HttpMethods.Get, HttpMethods.Head], HandleAsync)
        .WithName("DownloadModel")
        .WithSummary("Download the model of an identity")
        .WithDescription("The .safetensors file of the active version. Range requests are honoured.")
        .Produces(StatusCodes.Status200OK, contentType: ContentType)
        .Produces(StatusCodes.Status206PartialContent, contentType: ContentType)
        .ProducesProblem(StatusCodes.Status404NotFound)
        .ProducesProblem(StatusCodes.Status409Conflict)
        .ProducesProblem(StatusCodes.Status416RangeNotSatisfiable)
        .ProducesProblem(StatusCodes.Status503ServiceUnavailable);

    private static async Task<IResult> HandleAsync(
        HttpContext context, RegistryDbContext db, TrainingClient training, ModelFiles files, ILogger<ModelFiles> logger, Guid id, CancellationToken cancellationToken)
    {
        var accountId = context.GetCaller().AccountId;
        var identity = await db.AsAccountAsync(
            accountId,
            token => db.Identities.AsNoTracking().WithVersions().SingleOrDefaultAsync(row => row.AccountId == accountId && row.Id == id, token),
            cancellationToken);
        if (identity is null)
        {
            return GetIdentity.NotFound();
        }

        if (identity.ActiveVersion is not { Status: VersionStatus.Ready, ModelSha256: { } sha256, ModelBytes: { } bytes } version)
        {
            return Problem.Result(
                409,
                ErrorCodes.ModelNotReady,
                "The model is not ready.",
                FailureView.Of(identity.ActiveVersion)?.Message ?? "The training has not ended. Look at the identity's status and progress, and come back when it is ready.");
        }

        var response = context.Response;
        var tag = new EntityTagHeaderValue($"\"{sha256}\"");
        response.GetTypedHeaders().ETag = tag;
        response.Headers.AcceptRanges = "bytes";
        response.Headers.ContentDisposition = $"attachment; filename=\"{IdentityName.Slug(identity.Name)}-v{version.Number}.safetensors\"";
        response.Headers.XContentTypeOptions = "nosniff";
        response.GetTypedHeaders().CacheControl = new CacheControlHeaderValue { Private = true, NoCache = true };
        if (context.Request.GetTypedHeaders().IfNoneMatch.Any(known => known.Equals(EntityTagHeaderValue.Any) || known.Compare(tag, useStrongComparison: false)))
        {
            return TypedResults.StatusCode(StatusCodes.Status304NotModified);
        }

        if (HttpMethods.IsHead(context.Request.Method))
        {
            response.ContentType = ContentType;
            response.ContentLength = bytes;
            return TypedResults.Empty;
        }

        try
        {
            var location = await training.FindModelAsync(accountId, version.Id, cancellationToken);
            if (location is null)
            {
                LogMissing(logger, version.Id);
                return Away(context);
            }

            using var file = await files.OpenAsync(location.Url, RangeOf(context.Request, tag), cancellationToken);
            return await CopyAsync(context, file, logger, cancellationToken);
        }
        catch (Exception exception) when (!response.HasStarted && IsAway(exception, cancellationToken))
        {
            LogAway(logger, version.Id, exception.GetType().Name);
            return Away(context);
        }
    }

    private static async Task<IResult> CopyAsync(HttpContext context, HttpResponseMessage file, ILogger logger, CancellationToken cancellationToken)
    {
        var response = context.Response;
        switch (file.StatusCode)
        {
            case HttpStatusCode.OK or HttpStatusCode.PartialContent:
                response.StatusCode = (int)file.StatusCode;
                response.ContentType = ContentType;
                response.ContentLength = file.Content.Headers.ContentLength;
                response.Headers.ContentRange = file.Content.Headers.ContentRange?.ToString();
                await response.StartAsync(cancellationToken);
                try
                {
                    await file.Content.CopyToAsync(response.Body, cancellationToken);
                }
                catch (Exception exception) when (exception is HttpRequestException or IOException && !cancellationToken.IsCancellationRequested)
                {
                    // The headers are out: only a broken connection tells the caller that the file is not whole.
                    LogBroken(logger, exception.GetType().Name);
                    context.Abort();
                }

                return TypedResults.Empty;
            case HttpStatusCode.RequestedRangeNotSatisfiable:
                response.Headers.ContentRange = file.Content.Headers.ContentRange?.ToString();
                return Problem.Result(416, "range_not_satisfiable", "The model has no such bytes.", "Ask for a range within the model's bytes.");
            default:
                LogRefused(logger, (int)file.StatusCode);
                return Away(context);
        }
    }

    // If-Range with another model's tag asks for the whole file.
    private static string? RangeOf(HttpRequest request, EntityTagHeaderValue tag)
    {
        var condition = request.GetTypedHeaders().IfRange;
        return condition is null || (condition.EntityTag is { } wanted && wanted.Compare(tag, useStrongComparison: true)) ? request.Headers.Range : (string?)null;
    }

    private static bool IsAway(Exception exception, CancellationToken caller) =>
        exception is HttpRequestException or System.Text.Json.JsonException or IOException
        || (exception is OperationCanceledException && !caller.IsCancellationRequested);

    private static ProblemHttpResult Away(HttpContext context)
    {
        var headers = context.Response.Headers;
        headers.ContentDisposition = default;
        headers.ETag = default;
        headers.AcceptRanges = default;
        headers.RetryAfter = RetryAfterSeconds;
        return Problem.Result(503, ErrorCodes.ModelUnavailable, "The model cannot be reached.", "It is safe where it is stored. Ask again in a few seconds.");
    }

    [LoggerMessage(6011, LogLevel.Error, "Version {VersionId} is ready, but TrainingService knows no model of it")]
    private static partial void LogMissing(ILogger logger, Guid versionId);

    [LoggerMessage(6012, LogLevel.Warning, "The model of version {VersionId} cannot be reached: {Exception}")]
    private static partial void LogAway(ILogger logger, Guid versionId, string exception);

    [LoggerMessage(6013, LogLevel.Warning, "A download broke off: {Exception}")]
    private static partial void LogBroken(ILogger logger, string exception);

    [LoggerMessage(6014, LogLevel.Error, "The store answered {Status} to a request for a model")]
    private static partial void LogRefused(ILogger logger, int status);
}
