using System.Globalization;
using System.Net;
using System.Text.Json;
using Flurrty.TrainingService.Jobs;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Providers.Replicate;

/// <summary>Trains with ostris/flux-dev-lora-trainer on Replicate.</summary>
internal sealed class ReplicateProvider(
    ReplicateClient client,
    ReplicateArtifacts artifacts,
    Installation installation,
    IOptions<ReplicateOptions> options,
    TimeProvider time) : ITrainingProvider
{
    public const string ProviderName = "replicate";

    private const double DefaultLearningRate = 0.0004;
    private static readonly TimeSpan FactLifetime = TimeSpan.FromMinutes(10);

    /// <summary>The list is searched this much further back than the request: two clocks are compared, and looking costs nothing.</summary>
    private static readonly TimeSpan SearchMargin = TimeSpan.FromMinutes(10);

    /// <summary>How far two kept clocks may differ. A run from before then is not the one that was asked for, whatever it hides.</summary>
    private static readonly TimeSpan ClockMargin = TimeSpan.FromMinutes(1);

    private readonly ReplicateOptions _options = options.Value;
    private readonly Lock _gate = new();
    private readonly HashSet<string> _knownDestinations = new(StringComparer.Ordinal);
    private Fact? _owner;
    private Fact? _trainerVersion;

    public string Name => ProviderName;

    public ProviderMode Mode { get; } = ProviderModes.Parse(options.Value.Mode) ?? throw new InvalidOperationException("Replicate has no mode.");

    public ProviderDescription Describe() => new()
    {
        Name = Name,
        Webhooks = true,
        Trainers =
        [
            new TrainerDescription
            {
                Name = _options.Trainer,
                MinPhotos = 3,
                MaxDatasetBytes = _options.MaxFileBytes,
                DollarsPerSecond = _options.DollarsPerSecond,
                Parameters =
                [
                    new ParameterDescription("steps", "integer", 1000, 3, 6000),
                    new ParameterDescription("rank", "integer", 16, 1, 128),
                    new ParameterDescription("learning_rate", "number", DefaultLearningRate),
                    new ParameterDescription("resolution", "string", "512,768,1024"),
                ],
            },
        ],
    };

    public TrainingEstimate Estimate(TrainingParameters parameters)
    {
        // 1000 steps take about 20 minutes with the standard resolutions, of which some minutes are the model's loading.
        var min = TimeSpan.FromSeconds(120 + (parameters.Steps * 0.6));
        var max = TimeSpan.FromSeconds(300 + (parameters.Steps * 1.3));
        return new TrainingEstimate(Price(min), Price(max), min, max);

        decimal Price(TimeSpan run) => decimal.Round((decimal)run.TotalSeconds * _options.DollarsPerSecond, 2);
    }

    public Task<string> CheckAccessAsync(CancellationToken cancellationToken) => ReadOwnerAsync(cancellationToken);

    public async Task<ProviderInput> UploadInputAsync(DatasetSource dataset, CancellationToken cancellationToken)
    {
        if (dataset.Bytes > _options.MaxFileBytes)
        {
            throw new ProviderException(ErrorCategory.FileError, "The dataset is larger than a file at Replicate may be.");
        }

        var file = await client.UploadFileAsync(dataset, installation.Id, cancellationToken);
        if (string.IsNullOrEmpty(file.Id) || !Uri.TryCreate(file.Urls?.Get, UriKind.Absolute, out var location))
        {
            throw ReplicateErrors.Unreadable("the uploaded file");
        }

        if ((file.Size is { } size && size != dataset.Bytes)
            || (file.Checksums?.Sha256 is { } sha256 && !string.Equals(sha256, dataset.Sha256, StringComparison.OrdinalIgnoreCase)))
        {
            await client.DeleteFileAsync(file.Id, cancellationToken);
            throw new ProviderException(ErrorCategory.Network, "The dataset arrived at Replicate damaged.");
        }

        return new ProviderInput(file.Id, location);
    }

    public async Task<SubmissionPlan> PrepareAsync(
        Guid accountId,
        TrainingParameters parameters,
        ProviderInput input,
        CancellationToken cancellationToken)
    {
        var owner = await OwnerAsync(cancellationToken);
        var trainer = parameters.Trainer ?? _options.Trainer;
        var version = await TrainerVersionAsync(trainer, cancellationToken);

        // One model per account, one version per training: Replicate limits the number of models. The tail of the account's id is random, its head is a time.
        var destination = $"{owner}/flurrty-{installation.Mark}-{accountId.ToString("N", CultureInfo.InvariantCulture)[^12..]}";
        var plan = new SubmissionPlan(destination, trainer, version, parameters, input);
        if (!IsKnown(plan.Destination))
        {
            try
            {
                var (destinationOwner, name) = Split(plan.Destination);
                await client.GetModelAsync(destinationOwner, name, cancellationToken);
                Remember(plan.Destination);
            }
            catch (ProviderException missing) when (missing.HttpStatus == (int)HttpStatusCode.NotFound)
            {
                await CreateDestinationAsync(plan, cancellationToken);
            }
        }

        return plan;
    }

    public async Task CreateDestinationAsync(SubmissionPlan plan, CancellationToken cancellationToken)
    {
        var (owner, name) = Split(plan.Destination);
        await client.CreateModelAsync(
            new ReplicateModelRequest(owner, name, "private", _options.DestinationHardware, "FLUX LoRA identities"),
            cancellationToken);
        Remember(plan.Destination);
    }

    public Task<SubmissionOutcome> SubmitAsync(SubmissionPlan plan, Uri? webhook, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var parameters = plan.Parameters;
        var body = new ReplicateTrainingRequest(
            plan.Destination,
            new ReplicateTrainerInput(
                plan.Input.Location.AbsoluteUri,
                parameters.TriggerWord,
                parameters.Steps,
                parameters.Rank,
                parameters.LearningRate ?? DefaultLearningRate,
                parameters.Resolution,
                BatchSize: 1,
                Autocaption: true),
            webhook?.AbsoluteUri,
            webhook is null ? null : ["start", "completed"]);
        return client.CreateTrainingAsync(plan.Trainer, plan.TrainerVersion, body, timeout, cancellationToken);
    }

    public async Task<RunSearch> FindAsync(string inputId, string? runId, DateTimeOffset askedAt, CancellationToken cancellationToken)
    {
        var cannotTell = false;
        await foreach (var training in client.ListTrainingsAsync(cancellationToken))
        {
            if (training.Id is { Length: > 0 }
                && (runId is null ? WasMadeFrom(training, inputId) : string.Equals(training.Id, runId, StringComparison.Ordinal)))
            {
                // The list leaves the log out; the run is read by itself.
                return new RunSearch(await LookAsync(training.Id, cancellationToken) ?? ToRun(training));
            }

            var createdAt = ReplicateTraining.ParseTime(training.CreatedAt);
            if (createdAt < askedAt - SearchMargin)
            {
                break;
            }

            cannotTell |= runId is null && !(createdAt < askedAt - ClockMargin) && HidesItsInput(training);
        }

        return new RunSearch(Run: null, cannotTell);
    }

    public async Task<ProviderRun?> LookAsync(string runId, CancellationToken cancellationToken)
    {
        try
        {
            return ToRun(await client.GetTrainingAsync(runId, cancellationToken));
        }
        catch (ProviderException missing) when (missing.HttpStatus == (int)HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    public async Task CancelAsync(string runId, CancellationToken cancellationToken)
    {
        try
        {
            await client.CancelTrainingAsync(runId, cancellationToken);
        }
        catch (ProviderException refused) when (refused.Category is ErrorCategory.Validation)
        {
            // A run that has ended may refuse; what became of it is read.
        }
    }

    public Task RevokeInputAsync(string inputId, CancellationToken cancellationToken) => client.DeleteFileAsync(inputId, cancellationToken);

    public Task<HttpResponseMessage> OpenArtifactAsync(Uri location, CancellationToken cancellationToken) =>
        artifacts.OpenAsync(location, cancellationToken);

    /// <summary>Reads a training in the product's words. An unknown status counts as running: the next look will know more.</summary>
    public static ProviderRun ToRun(ReplicateTraining training)
    {
        var error = training.Error is { ValueKind: not (JsonValueKind.Null or JsonValueKind.Undefined) } text
            ? text.ValueKind == JsonValueKind.String ? text.GetString() : text.GetRawText()
            : null;
        return new ProviderRun
        {
            Id = training.Id ?? throw ReplicateErrors.Unreadable("a training"),
            Status = training.Status switch
            {
                "starting" or null => RunStatus.Queued,
                "succeeded" => RunStatus.Succeeded,
                "failed" => RunStatus.Failed,
                "canceled" => RunStatus.Canceled,
                "aborted" => RunStatus.Aborted,
                _ => RunStatus.Running,
            },
            CreatedAt = ReplicateTraining.ParseTime(training.CreatedAt),
            StartedAt = ReplicateTraining.ParseTime(training.StartedAt),
            CompletedAt = ReplicateTraining.ParseTime(training.CompletedAt),
            Progress = TrainingLog.Parse(training.Logs),
            LogBytes = training.Logs?.Length ?? 0,
            Error = error is { Length: > 500 } ? error[..500] : error,
            InputRejected = IsInputRejected(error),
            Artifact = Uri.TryCreate(OutputField(training, "weights"), UriKind.Absolute, out var weights) ? weights : null,
            OutputVersion = OutputField(training, "version"),
            DataRemoved = training.DataRemoved ?? false,
            BilledSeconds = training.Metrics?.PredictTime,
        };
    }

    private static bool IsInputRejected(string? error) =>
        error is not null
        && (error.StartsWith("Prediction input failed validation", StringComparison.Ordinal)
            || error.Contains("input_images must be", StringComparison.Ordinal)
            || error.Contains("didn't match any layers", StringComparison.Ordinal));

    private static string? OutputField(ReplicateTraining training, string name) =>
        training.Output is { ValueKind: JsonValueKind.Object } output
        && output.TryGetProperty(name, out var field)
        && field.ValueKind == JsonValueKind.String
            ? field.GetString()
            : null;

    /// <summary>Replicate removes a run's data some time after its end: the entry stays, marked, with an empty input.</summary>
    private static bool HidesItsInput(ReplicateTraining training) =>
        training.DataRemoved is true
        || training.Input is not { ValueKind: JsonValueKind.Object } input
        || !input.EnumerateObject().MoveNext();

    /// <summary>The echoed input is a signed link of its own, sometimes encoded twice; the file's id is in it all the same.</summary>
    private static bool WasMadeFrom(ReplicateTraining training, string inputId)
    {
        if (training.Input is not { ValueKind: JsonValueKind.Object } input
            || !input.TryGetProperty("input_images", out var images)
            || images.ValueKind != JsonValueKind.String)
        {
            return false;
        }

        var link = images.GetString()!;
        return link.Contains(inputId, StringComparison.Ordinal) || Uri.UnescapeDataString(link).Contains(inputId, StringComparison.Ordinal);
    }

    private async Task<string> OwnerAsync(CancellationToken cancellationToken)
    {
        if (Fresh(_owner) is { } known)
        {
            return known;
        }

        return await ReadOwnerAsync(cancellationToken);
    }

    private async Task<string> ReadOwnerAsync(CancellationToken cancellationToken)
    {
        var account = await client.GetAccountAsync(cancellationToken);
        var owner = account.Username ?? throw ReplicateErrors.Unreadable("the account");
        _owner = new Fact(string.Empty, owner, time.GetTimestamp());
        return owner;
    }

    private async Task<string> TrainerVersionAsync(string trainer, CancellationToken cancellationToken)
    {
        if (_trainerVersion is { } fact && string.Equals(fact.Subject, trainer, StringComparison.Ordinal) && Fresh(fact) is { } known)
        {
            return known;
        }

        var (owner, name) = Split(trainer);
        var model = await client.GetModelAsync(owner, name, cancellationToken);
        var version = model.LatestVersion?.Id
            ?? throw new ProviderException(ErrorCategory.Validation, $"The trainer {trainer} has no version.");
        _trainerVersion = new Fact(trainer, version, time.GetTimestamp());
        return version;
    }

    private string? Fresh(Fact? fact) => fact is not null && time.GetElapsedTime(fact.ReadAt) < FactLifetime ? fact.Value : null;

    private bool IsKnown(string destination)
    {
        lock (_gate)
        {
            return _knownDestinations.Contains(destination);
        }
    }

    private void Remember(string destination)
    {
        lock (_gate)
        {
            // A bound, not a cache policy: forgetting costs one more GET.
            if (_knownDestinations.Count >= 10_000)
            {
                _knownDestinations.Clear();
            }

            _knownDestinations.Add(destination);
        }
    }

    private static (string Owner, string Name) Split(string path)
    {
        var slash = path.IndexOf('/', StringComparison.Ordinal);
        return (path[..slash], path[(slash + 1)..]);
    }

    private sealed record Fact(string Subject, string Value, long ReadAt);
}
