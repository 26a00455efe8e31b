using System.Text.Json;
using Flurrty.RegistryService.Versions;

namespace Flurrty.RegistryService.Identities;

/// <summary>An identity as the API shows it. The fields of its active version stand at the top, under the names that earlier systems used.</summary>
internal sealed record IdentityView
{
    public required Guid Id { get; init; }

    public required string IdentityName { get; init; }

    public required string ModelId { get; init; }

    public required string Status { get; init; }

    public required int Progress { get; init; }

    public required string? Stage { get; init; }

    public required int Version { get; init; }

    public required IReadOnlyList<VersionView> Versions { get; init; }

    public required string Provider { get; init; }

    public required TrainingConfigView TrainingConfig { get; init; }

    public required string TriggerWord { get; init; }

    public required Guid PhotoSetId { get; init; }

    public required int NumTrainingImages { get; init; }

    public required Guid? ThumbnailPhotoId { get; init; }

    public required FailureView? Error { get; init; }

    public required string? ErrorMessage { get; init; }

    public required ModelView? Model { get; init; }

    public required string? ModelUrl { get; init; }

    public required JsonElement? Customization { get; init; }

    public required WaitingView? Waiting { get; init; }

    public required DateTimeOffset? EstimatedCompletion { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset UpdatedAt { get; init; }

    public required DateTimeOffset? TrainedAt { get; init; }

    public static IdentityView Of(Identity identity)
    {
        var active = identity.ActiveVersion;
        var failure = FailureView.Of(active);
        return new IdentityView
        {
            Id = identity.Id,
            IdentityName = identity.Name,
            ModelId = active.ModelId,
            Status = active.Status.ToName(),
            Progress = active.Progress,
            Stage = active.Stage,
            Version = active.Number,
            Versions = [.. identity.Versions.OrderBy(version => version.Number).Select(VersionView.Of)],
            Provider = active.TrainedBy ?? active.Provider,
            TrainingConfig = TrainingConfigView.Of(active.Config),
            TriggerWord = active.TriggerWord,
            PhotoSetId = identity.PhotoSetId,
            NumTrainingImages = active.PhotoCount,
            ThumbnailPhotoId = active.ThumbnailPhotoId,
            Error = failure,
            ErrorMessage = failure?.Message,
            Model = ModelView.Of(identity.Id, active),
            ModelUrl = active.Status == VersionStatus.Ready ? ModelView.UrlOf(identity.Id) : null,
            Customization = identity.Customization is { } json ? JsonElement.Parse(json) : null,
            Waiting = WaitingView.Of(active),
            EstimatedCompletion = active.EstimatedCompletion,
            CreatedAt = identity.CreatedAt,
            UpdatedAt = identity.UpdatedAt,
            TrainedAt = active.TrainedAt,
        };
    }
}

/// <summary>One version of an identity.</summary>
internal sealed record VersionView(
    Guid Id,
    int Version,
    string ModelId,
    string Status,
    string? Stage,
    int Progress,
    WaitingView? Waiting,
    FailureView? Error,
    DateTimeOffset CreatedAt,
    DateTimeOffset? TrainedAt,
    IReadOnlyList<VersionChangeView> History)
{
    public static VersionView Of(IdentityVersion version) => new(
        version.Id,
        version.Number,
        version.ModelId,
        version.Status.ToName(),
        version.Stage,
        version.Progress,
        WaitingView.Of(version),
        FailureView.Of(version),
        version.CreatedAt,
        version.TrainedAt,
        [.. version.History.OrderBy(change => change.Number).Select(change => new VersionChangeView(change.To.ToName(), change.At))]);
}

/// <summary>A state that a version came to, and when.</summary>
internal sealed record VersionChangeView(string Status, DateTimeOffset At);

/// <summary>What the training was asked to do.</summary>
internal sealed record TrainingConfigView(string Preset, int Steps, int Rank, double? LearningRate, string Resolution)
{
    public static TrainingConfigView Of(TrainingConfig config) => new(config.Preset, config.Steps, config.Rank, config.LearningRate, config.Resolution);
}

/// <summary>Why there is no model, in a sentence that says what to do.</summary>
internal sealed record FailureView(string Code, string Message, bool Retryable)
{
    public static FailureView? Of(IdentityVersion version) => version switch
    {
        { Status: VersionStatus.Failed, FailureCode: { } code } => new FailureView(code, FailureSentences.For(code), version.FailureRetryable ?? false),
        { Status: VersionStatus.Canceled } => new FailureView("canceled", FailureSentences.For("canceled"), true),
        _ => null,
    };
}

/// <summary>What keeps the training from going on until somebody mends it, in a sentence; it fails when that is not done in time.</summary>
internal sealed record WaitingView(string Reason, string Message, DateTimeOffset? Until)
{
    public static WaitingView? Of(IdentityVersion version) =>
        version.WaitingReason is { } reason ? new WaitingView(reason, WaitingSentences.For(reason), version.WaitingUntil) : null;
}

/// <summary>The finished model.</summary>
internal sealed record ModelView(long Bytes, string Sha256, string Url)
{
    public static string UrlOf(Guid identityId) => $"/api/identities/{identityId}/model";

    public static ModelView? Of(Guid identityId, IdentityVersion version) =>
        version is { Status: VersionStatus.Ready, ModelBytes: { } bytes, ModelSha256: { } sha256 } ? new ModelView(bytes, sha256, UrlOf(identityId)) : null;
}

/// <summary>A page of identities, newest first.</summary>
internal sealed record IdentityPage(IReadOnlyList<IdentityView> Items, string? NextCursor);
