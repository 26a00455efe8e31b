using System.Net;
using System.Text.Json;
using Flurrty.ServiceDefaults.Tickets;

namespace Flurrty.RegistryService.Versions;

/// <summary>TrainingService's answer about one of its jobs.</summary>
internal sealed record TrainingAnswer(
    Guid JobId, long Revision, string State, string? Stage, int? Progress, int? Attempt, string? Provider, DateTimeOffset? EstimatedCompletion, string? WaitingReason, DateTimeOffset? WaitingUntil, TrainingFailure? Failure, TrainedModel? Model)
{
    public TrainingReport ToReport() => new(JobId, Revision, State switch
    {
        "succeeded" => VersionStatus.Ready,
        "failed" => VersionStatus.Failed,
        "canceled" => VersionStatus.Canceled,
        _ => VersionStatus.Training,
    })
    {
        Stage = Stage ?? State,
        Progress = Progress,
        EstimatedCompletion = EstimatedCompletion,
        WaitingReason = WaitingReason,
        WaitingUntil = WaitingUntil,
        Provider = Provider,
        Failure = Failure,
        Model = Model,
    };
}

/// <summary>Where a model's file can be fetched for a short while.</summary>
internal sealed record ModelLocation(Uri Url, long Bytes, string Sha256, string FileName);

/// <summary>Asks TrainingService.</summary>
internal sealed class TrainingClient(HttpClient training)
{
    public const string Service = "training";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>What TrainingService knows about a job; null when it has none of that id.</summary>
    public Task<TrainingAnswer?> FindTrainingAsync(Guid accountId, Guid jobId, CancellationToken cancellationToken) =>
        FindAsync<TrainingAnswer>(accountId, $"/internal/trainings/{jobId}", cancellationToken);

    /// <summary>A URL for the model of a job; null when there is none. The URL is a capability: never log it.</summary>
    public Task<ModelLocation?> FindModelAsync(Guid accountId, Guid jobId, CancellationToken cancellationToken) =>
        FindAsync<ModelLocation>(accountId, $"/internal/models/{jobId}", cancellationToken);

    private async Task<TAnswer?> FindAsync<TAnswer>(Guid accountId, string path, CancellationToken cancellationToken)
        where TAnswer : class
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path).ForAccount(accountId);
        using var response = await training.SendAsync(request, cancellationToken);
        if (response.StatusCode == HttpStatusCode.NotFound && await IsProblemAsync(response, cancellationToken))
        {
            return null;
        }

        response.EnsureSuccessStatusCode();
        return await response.Content.ReadFromJsonAsync<TAnswer>(Json, cancellationToken);
    }

    // A 404 without our problem comes from something in between and says nothing about the job.
    private static async Task<bool> IsProblemAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (response.Content.Headers.ContentType?.MediaType is not "application/problem+json")
        {
            return false;
        }

        var problem = await response.Content.ReadFromJsonAsync<JsonElement>(Json, cancellationToken);
        return problem.ValueKind == JsonValueKind.Object
            && problem.TryGetProperty("code", out var code)
            && code.ValueKind == JsonValueKind.String
            && code.GetString() is { } text
            && text.EndsWith("_not_found", StringComparison.Ordinal);
    }
}
