using System.Text.Json;
using System.Text.Json.Nodes;
using Flurrty.Sandbox.Faults;
using Flurrty.Sandbox.Journal;

namespace Flurrty.Sandbox.Replicate;

internal static class RunStatus
{
    public const string Starting = "starting";
    public const string Processing = "processing";
    public const string Succeeded = "succeeded";
    public const string Failed = "failed";
    public const string Canceled = "canceled";
    public const string Aborted = "aborted";

    public static bool IsTerminal(string status) => status is Succeeded or Failed or Canceled or Aborted;
}

/// <summary>What the trainer found in the input archive.</summary>
internal sealed record Dataset
{
    /// <summary>Why the trainer cannot work with it.</summary>
    public string? Error { get; init; }

    /// <summary>Every entry that was unpacked.</summary>
    public int Files { get; init; }

    /// <summary>Images at the archive's root, where the trainer looks for them.</summary>
    public IReadOnlyList<string> Images { get; init; } = [];

    /// <summary>Images that could not be read as such; the trainer skips them.</summary>
    public IReadOnlyList<string> Unreadable { get; init; } = [];

    /// <summary>Captions that came with the images, by file name.</summary>
    public IReadOnlyDictionary<string, string> Captions { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
}

/// <summary>A training. Its progress is not written down: it follows from the clock.</summary>
internal sealed record Training
{
    public required string Id { get; init; }
    public required long Number { get; init; }
    public required string Account { get; init; }

    /// <summary>The origin that its creator used; webhooks name it.</summary>
    public required string Origin { get; init; }
    public required string Model { get; init; }
    public required string Version { get; init; }
    public required string Destination { get; init; }

    /// <summary>The echo: signed links in place of files, secrets taken out.</summary>
    public required JsonElement Input { get; init; }

    /// <summary>Where the images really come from: a file of ours or a URL.</summary>
    public string? InputFileId { get; init; }
    public string? InputUrl { get; init; }
    public string? Webhook { get; init; }
    public IReadOnlyList<string>? WebhookEvents { get; init; }
    public required string CompletedMessageId { get; init; }
    public bool CompletedDelivered { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset StartsAt { get; init; }

    /// <summary>Seconds from start to success.</summary>
    public required double Seconds { get; init; }
    public required string NewVersion { get; init; }
    public string? DeliveryToken { get; init; }
    public required TrainingQuirks Quirks { get; init; }
    public string Status { get; init; } = RunStatus.Starting;
    public DateTimeOffset? StartedAt { get; init; }
    public DateTimeOffset? CompletedAt { get; init; }
    public string? Error { get; init; }
    public Dataset? Dataset { get; init; }

    /// <summary>How far it got, from 0 to 1, once it has ended.</summary>
    public double? Reached { get; init; }
    public double? PredictTime { get; init; }
    public bool DataRemoved { get; init; }

    public bool IsTerminal => RunStatus.IsTerminal(Status);

    public ListedModel Listed => Catalog.All.First(model => model.FullName == Model);

    public Trainer Trainer => Listed.Trainer!;

    public string WeightsPath => $"/delivery/{Trainer.WeightsFolder}{DeliveryToken}/{Trainer.WeightsFile}";

    public double ReachedAt(DateTimeOffset now) => Reached ?? (StartedAt is { } started ? Math.Clamp((now - started).TotalSeconds / Seconds, 0, 0.999) : 0);
}

/// <summary>All trainings of all accounts.</summary>
internal sealed class TrainingStore
{
    private readonly DocumentSet<Training> _trainings;
    private readonly TimeProvider _time;
    private long _last;

    public TrainingStore(DocumentJournal journal, TimeProvider time)
    {
        _time = time;
        _trainings = journal.Set<Training>("training");
        _last = _trainings.All.Select(training => training.Number).DefaultIfEmpty().Max();
    }

    public IEnumerable<Training> All => _trainings.All.OrderByDescending(training => training.Number);

    public Training? Find(string id) => _trainings.Find(id);

    /// <summary>What an account is shown.</summary>
    public Training? Find(string id, string account) => _trainings.Find(id) is { } training && IsShown(training, account) ? training : null;

    public IEnumerable<Training> Of(string account) => All.Where(training => IsShown(training, account));

    public long NextNumber() => Interlocked.Increment(ref _last);

    public void Add(Training training) => _trainings.TryAdd(training.Id, training);

    public Training? Change(string id, Func<Training, Training?> change) => _trainings.Change(id, change);

    private bool IsShown(Training training, string account) =>
        training.Account == account && !(training.Quirks.HiddenSeconds is { } hidden && _time.GetUtcNow() < training.CreatedAt + TimeSpan.FromSeconds(hidden));
}

/// <summary>How often each model was run.</summary>
internal sealed class RunCounts(TrainingStore trainings, PredictionStore predictions)
{
    public int Of(string model) => trainings.All.Count(training => training.Model == model) + predictions.All.Count(prediction => prediction.Model == model);
}

internal enum TrainingForm
{
    /// <summary>The answer to a create: its URLs are those of predictions.</summary>
    Created,
    Full,

    /// <summary>In a list: without logs.</summary>
    Listed,

    /// <summary>As the routes of predictions show it, where clients wait for trainings, and the answer to a cancel.</summary>
    AsPrediction,
}

/// <summary>The training object on the wire.</summary>
internal static class TrainingWire
{
    public static JsonObject Render(Training training, string origin, TrainingForm form, DateTimeOffset now)
    {
        bool list = form == TrainingForm.Listed;
        string kind = form is TrainingForm.Created or TrainingForm.AsPrediction ? "predictions" : "trainings";
        var wire = new JsonObject
        {
            ["id"] = training.Id,
            ["model"] = training.Model,
            ["version"] = training.Version,
            ["input"] = training.DataRemoved ? [] : JsonObject.Create(training.Input),
        };
        if (!list)
        {
            wire["logs"] = Logs(training, now);
        }

        wire["output"] = Output(training, origin);
        wire["data_removed"] = training.DataRemoved;
        wire["error"] = training.Error;
        wire["source"] = "api";
        wire["status"] = training.Status;
        wire["created_at"] = Wire.Milliseconds(training.CreatedAt);
        if (training.StartedAt is { } started)
        {
            wire["started_at"] = Wire.Nanoseconds(started);
        }

        if (training.CompletedAt is { } completed)
        {
            wire["completed_at"] = Wire.Nanoseconds(completed);
        }

        if (training is { PredictTime: { } predictTime, CompletedAt: { } ended })
        {
            wire["metrics"] = new JsonObject { ["predict_time"] = predictTime, ["total_time"] = (ended - training.CreatedAt).TotalSeconds };
        }

        wire["urls"] = new JsonObject
        {
            ["cancel"] = $"{origin}/v1/{kind}/{training.Id}/cancel",
            ["get"] = $"{origin}/v1/{kind}/{training.Id}",
            ["web"] = $"https://replicate.com/p/{training.Id}",
        };
        return wire;
    }

    public static byte[] Bytes(Training training, string origin, TrainingForm form, DateTimeOffset now)
    {
        string text = Render(training, origin, form, now).ToJsonString(Wire.Json);
        if (training.Quirks.Logs == LogNoise.Unescaped && form != TrainingForm.Listed)
        {
            text = text.Replace(@"\r", "\r", StringComparison.Ordinal).Replace(@"\u001B", "\u001b", StringComparison.Ordinal);
        }

        return System.Text.Encoding.UTF8.GetBytes(text);
    }

    /// <summary>What <c>output</c> says; also before the status follows it, in a webhook for an output.</summary>
    public static JsonObject? OutputOf(Training training, string origin)
    {
        if (training.Quirks.Output == OutputQuirk.Null)
        {
            return null;
        }

        var output = new JsonObject();
        if (training.Quirks.Output != OutputQuirk.WithoutVersion)
        {
            output["version"] = $"{training.Destination}:{training.NewVersion}";
        }

        if (training.Quirks.Output != OutputQuirk.WithoutWeights && !training.DataRemoved)
        {
            output["weights"] = origin + training.WeightsPath;
        }

        return output;
    }

    private static JsonObject? Output(Training training, string origin) => training.Status == RunStatus.Succeeded ? OutputOf(training, origin) : null;

    private static string? Logs(Training training, DateTimeOffset now)
    {
        if (training.DataRemoved)
        {
            return "";
        }

        if (training.Dataset is null || training.StartedAt is null)
        {
            // A training that was canceled before it started has none at all.
            return training.Status == RunStatus.Canceled ? null : "";
        }

        return TrainingLog.Render(training, training.Dataset, training.ReachedAt(now));
    }
}
