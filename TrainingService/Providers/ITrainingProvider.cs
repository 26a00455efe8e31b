using Flurrty.TrainingService.Jobs;

namespace Flurrty.TrainingService.Providers;

/// <summary>
/// A remote service that trains a LoRA. Submission is split so that every step but <see cref="SubmitAsync"/> may be repeated,
/// and so that the caller can write down what it is about to do before each.
/// </summary>
internal interface ITrainingProvider
{
    /// <summary>The name that callers choose it by.</summary>
    string Name { get; }

    /// <summary>Whether it is the real one.</summary>
    ProviderMode Mode { get; }

    /// <summary>What it trains with, within which limits, at which price.</summary>
    ProviderDescription Describe();

    /// <summary>What a training will probably cost and take.</summary>
    TrainingEstimate Estimate(TrainingParameters parameters);

    /// <summary>Asks whose credential it was given: cheap, free and without effect. Returns the account's name.</summary>
    Task<string> CheckAccessAsync(CancellationToken cancellationToken);

    /// <summary>Uploads the attempt's own copy of the dataset. A repeat makes another file.</summary>
    Task<ProviderInput> UploadInputAsync(DatasetSource dataset, CancellationToken cancellationToken);

    /// <summary>Makes sure that the destination exists and finds the trainer's current version. May be repeated.</summary>
    Task<SubmissionPlan> PrepareAsync(Guid accountId, TrainingParameters parameters, ProviderInput input, CancellationToken cancellationToken);

    /// <summary>Creates the destination that the provider said does not exist. May be repeated.</summary>
    Task CreateDestinationAsync(SubmissionPlan plan, CancellationToken cancellationToken);

    /// <summary>Asks for the run, once. Never repeats the request by itself and never throws for what the provider answered.</summary>
    Task<SubmissionOutcome> SubmitAsync(SubmissionPlan plan, Uri? webhook, TimeSpan timeout, CancellationToken cancellationToken);

    /// <summary>
    /// Reads the whole list, back to well before the time at which the run was first asked for, for the run of this name, or of whatever name
    /// that was made from this input.
    /// </summary>
    Task<RunSearch> FindAsync(string inputId, string? runId, DateTimeOffset askedAt, CancellationToken cancellationToken);

    /// <summary>Reads a run; null when the provider does not know it.</summary>
    Task<ProviderRun?> LookAsync(string runId, CancellationToken cancellationToken);

    /// <summary>Asks for the end of a run. What became of it is read by <see cref="LookAsync"/>.</summary>
    Task CancelAsync(string runId, CancellationToken cancellationToken);

    /// <summary>Deletes an input, so that no run can be made from it any more. Deleting it again is no error.</summary>
    Task RevokeInputAsync(string inputId, CancellationToken cancellationToken);

    /// <summary>Opens a finished run's artifact after checking that it lies where this provider keeps artifacts.</summary>
    Task<HttpResponseMessage> OpenArtifactAsync(Uri location, CancellationToken cancellationToken);
}

/// <summary>What a provider can do.</summary>
internal sealed record ProviderDescription
{
    public required string Name { get; init; }

    public required IReadOnlyList<TrainerDescription> Trainers { get; init; }

    /// <summary>Whether it tells us by webhook when a run moves.</summary>
    public required bool Webhooks { get; init; }
}

/// <summary>One trainer of a provider.</summary>
internal sealed record TrainerDescription
{
    public required string Name { get; init; }

    public required IReadOnlyList<ParameterDescription> Parameters { get; init; }

    public required int MinPhotos { get; init; }

    public required long MaxDatasetBytes { get; init; }

    public required decimal DollarsPerSecond { get; init; }
}

/// <summary>A parameter that a trainer has.</summary>
internal sealed record ParameterDescription(string Name, string Type, object? Default, double? Minimum = null, double? Maximum = null);

/// <summary>The interval in which cost and time of a training will lie.</summary>
internal sealed record TrainingEstimate(decimal MinDollars, decimal MaxDollars, TimeSpan MinTime, TimeSpan MaxTime);

/// <summary>Where a dataset can be read from, as often as needed.</summary>
internal sealed record DatasetSource(Func<CancellationToken, Task<Stream>> OpenAsync, long Bytes, string Sha256, string FileName);

/// <summary>A dataset's copy at the provider.</summary>
internal sealed record ProviderInput(string Id, Uri Location);

/// <summary>Everything that the one unsafe request needs.</summary>
internal sealed record SubmissionPlan(string Destination, string Trainer, string TrainerVersion, TrainingParameters Parameters, ProviderInput Input);

/// <summary>The outcome of the unsafe request.</summary>
internal abstract record SubmissionOutcome
{
    private SubmissionOutcome()
    {
    }

    /// <summary>The provider made a run and named it.</summary>
    internal sealed record Created(ProviderRun Run) : SubmissionOutcome;

    /// <summary>The provider proved that it made none.</summary>
    internal sealed record Refused(ProviderException Problem, bool DestinationMissing) : SubmissionOutcome;

    /// <summary>There may be a run, or not.</summary>
    internal sealed record Unknown(ProviderException Problem) : SubmissionOutcome;
}

/// <summary>The states of a run, whatever the provider calls them.</summary>
internal enum RunStatus
{
    Queued,
    Running,
    Succeeded,
    Failed,
    Canceled,

    /// <summary>Ended by the provider before it started; not billed.</summary>
    Aborted,
}

/// <summary>What a complete read of the provider's list shows.</summary>
/// <param name="Run">The run, where it is there.</param>
/// <param name="CannotTell">Whether the list has runs of that time whose input the provider has removed, so that one of them may be it.</param>
internal readonly record struct RunSearch(ProviderRun? Run, bool CannotTell = false);

/// <summary>A run as it was read from the provider.</summary>
internal sealed record ProviderRun
{
    public required string Id { get; init; }

    public required RunStatus Status { get; init; }

    public DateTimeOffset? CreatedAt { get; init; }

    public DateTimeOffset? StartedAt { get; init; }

    public DateTimeOffset? CompletedAt { get; init; }

    public TrainingProgress? Progress { get; init; }

    /// <summary>The provider's own words about a failure.</summary>
    public string? Error { get; init; }

    /// <summary>Whether the failure is the input's, so that trying again cannot help.</summary>
    public bool InputRejected { get; init; }

    public Uri? Artifact { get; init; }

    /// <summary>The version that the run made at the destination.</summary>
    public string? OutputVersion { get; init; }

    /// <summary>Whether the provider has removed the run's input and output, which it does some time after the end.</summary>
    public bool DataRemoved { get; init; }

    public double? BilledSeconds { get; init; }

    public long LogBytes { get; init; }

    public bool IsEnded => Status is not (RunStatus.Queued or RunStatus.Running);
}

/// <summary>How far a run's own log says it is.</summary>
internal sealed record TrainingProgress(int Step, int Steps, TimeSpan? Remaining, string? Rate, string? Loss);
