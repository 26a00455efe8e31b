using System.Net;
using Flurrty.ServiceDefaults.Tickets;
using Microsoft.AspNetCore.Mvc;

namespace Flurrty.RegistryService.Identities;

/// <summary>A frozen copy of a photo set.</summary>
internal sealed record SealedPhotoSet(Guid SealId, int PhotoCount, Guid? ThumbnailPhotoId);

/// <summary>What became of a request to seal a photo set: the seal, UploadService's refusal, or neither when it is away.</summary>
internal readonly record struct SealAnswer(SealedPhotoSet? Seal, ProblemDetails? Refusal);

/// <summary>Has UploadService seal photo sets. Sealing twice under one version id gives the same seal.</summary>
internal sealed partial class PhotoSetSeals(HttpClient uploads, ILogger<PhotoSetSeals> logger)
{
    private static readonly System.Text.Json.JsonSerializerOptions Json = new(System.Text.Json.JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = System.Text.Json.JsonNamingPolicy.SnakeCaseLower,
    };

    public async Task<SealAnswer> SealAsync(Guid accountId, Guid versionId, Guid photoSetId, string triggerWord, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, $"/internal/seals/{versionId}").ForAccount(accountId);
        request.Content = JsonContent.Create(new SealRequest(photoSetId, triggerWord), options: Json);
        try
        {
            using var response = await uploads.SendAsync(request, cancellationToken);
            if (response.IsSuccessStatusCode)
            {
                return new SealAnswer(await response.Content.ReadFromJsonAsync<SealedPhotoSet>(Json, cancellationToken), Refusal: null);
            }

            if (response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.UnprocessableEntity
                && await response.Content.ReadFromJsonAsync<ProblemDetails>(Json, cancellationToken) is { } problem
                && problem.Extensions.ContainsKey("code"))
            {
                return new SealAnswer(Seal: null, problem);
            }

            LogUnexpected(logger, (int)response.StatusCode);
            return default;
        }
        catch (Exception exception) when (IsAway(exception, cancellationToken))
        {
            LogAway(logger, exception);
            return default;
        }
    }

    private static bool IsAway(Exception exception, CancellationToken caller) =>
        exception is HttpRequestException or System.Text.Json.JsonException or IOException
        || (exception is OperationCanceledException && !caller.IsCancellationRequested);

    [LoggerMessage(6001, LogLevel.Warning, "UploadService is away: a photo set could not be sealed")]
    private static partial void LogAway(ILogger logger, Exception exception);

    [LoggerMessage(6002, LogLevel.Error, "UploadService answered {Status} to a request to seal a photo set")]
    private static partial void LogUnexpected(ILogger logger, int status);

    private sealed record SealRequest(Guid PhotoSetId, string TriggerWord);
}
