using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Flurrty.TrainingService.Providers.Replicate;

internal sealed record ReplicateAccount(string? Type, string? Username, string? Name);

internal sealed record ReplicateFile(string? Id, long? Size, ReplicateChecksums? Checksums, ReplicateUrls? Urls);

/// <summary>Says whose a file is.</summary>
internal sealed record ReplicateFileMetadata(Guid FlurrtyInstallation);

internal sealed record ReplicateChecksums(string? Sha256, string? Md5);

internal sealed record ReplicateUrls(string? Get);

internal sealed record ReplicateModel(string? Owner, string? Name, ReplicateVersion? LatestVersion);

internal sealed record ReplicateVersion(string? Id);

internal sealed record ReplicateModelRequest(string Owner, string Name, string Visibility, string Hardware, string Description);

internal sealed record ReplicateTrainingRequest(
    string Destination,
    ReplicateTrainerInput Input,
    string? Webhook,
    IReadOnlyList<string>? WebhookEventsFilter);

/// <summary>
/// The arguments of ostris/flux-dev-lora-trainer that this product sets. Its own push to a hub is never among them: it makes the repository public.
/// </summary>
internal sealed record ReplicateTrainerInput(
    string InputImages,
    string TriggerWord,
    int Steps,
    int LoraRank,
    double LearningRate,
    string Resolution,
    int BatchSize,
    bool Autocaption);

internal sealed record ReplicateTraining(
    string? Id,
    string? Status,
    JsonElement? Input,
    string? Logs,
    JsonElement? Output,
    JsonElement? Error,
    string? CreatedAt,
    string? StartedAt,
    string? CompletedAt,
    ReplicateMetrics? Metrics,
    bool? DataRemoved)
{
    /// <summary>Times come with up to nine fractional digits.</summary>
    public static DateTimeOffset? ParseTime(string? text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : null;
}

internal sealed record ReplicateMetrics(double? PredictTime, double? TotalTime);

internal sealed record ReplicateTrainingPage(string? Next, IReadOnlyList<ReplicateTraining>? Results);

internal sealed record ReplicateSecret(string? Key);

internal sealed record ReplicateProblem(string? Title, string? Detail);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    NumberHandling = JsonNumberHandling.AllowReadingFromString)]
[JsonSerializable(typeof(ReplicateAccount))]
[JsonSerializable(typeof(ReplicateFile))]
[JsonSerializable(typeof(ReplicateFileMetadata))]
[JsonSerializable(typeof(ReplicateModel))]
[JsonSerializable(typeof(ReplicateModelRequest))]
[JsonSerializable(typeof(ReplicateTrainingRequest))]
[JsonSerializable(typeof(ReplicateTraining))]
[JsonSerializable(typeof(ReplicateTrainingPage))]
[JsonSerializable(typeof(ReplicateSecret))]
[JsonSerializable(typeof(ReplicateProblem))]
internal sealed partial class ReplicateJson : JsonSerializerContext;
