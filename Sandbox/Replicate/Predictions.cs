using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Flurrty.Sandbox.Invoices;
using Flurrty.Sandbox.Journal;
using Microsoft.Extensions.Options;

namespace Flurrty.Sandbox.Replicate;

/// <summary>A run of a model that makes images.</summary>
internal sealed record Prediction
{
    public required string Id { get; init; }
    public required long Number { get; init; }
    public required string Account { get; init; }
    public required string Origin { get; init; }
    public required string Model { get; init; }

    /// <summary>A version, or <c>hidden</c> for official models that were run by name.</summary>
    public required string Version { get; init; }
    public required JsonElement Input { get; init; }
    public string? Webhook { get; init; }
    public IReadOnlyList<string>? WebhookEvents { get; init; }
    public required string CompletedMessageId { get; init; }
    public bool CompletedDelivered { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset StartsAt { get; init; }
    public required DateTimeOffset EndsAt { get; init; }
    public DateTimeOffset? Deadline { get; init; }
    public string Status { get; init; } = RunStatus.Starting;
    public DateTimeOffset? StartedAt { get; init; }
    public DateTimeOffset? CompletedAt { get; init; }
    public string? Error { get; init; }
    public IReadOnlyList<string> Images { get; init; } = [];
    public double? PredictTime { get; init; }
    public bool DataRemoved { get; init; }

    public bool IsTerminal => RunStatus.IsTerminal(Status);
}

/// <summary>All predictions of all accounts.</summary>
internal sealed class PredictionStore
{
    private readonly DocumentSet<Prediction> _predictions;
    private long _last;

    public PredictionStore(DocumentJournal journal)
    {
        _predictions = journal.Set<Prediction>("prediction");
        _last = _predictions.All.Select(prediction => prediction.Number).DefaultIfEmpty().Max();
    }

    public IEnumerable<Prediction> All => _predictions.All.OrderByDescending(prediction => prediction.Number);

    public Prediction? Find(string id) => _predictions.Find(id);

    public Prediction? Find(string id, string account) => _predictions.Find(id) is { } prediction && prediction.Account == account ? prediction : null;

    public long NextNumber() => Interlocked.Increment(ref _last);

    public void Add(Prediction prediction) => _predictions.TryAdd(prediction.Id, prediction);

    public Prediction? Change(string id, Func<Prediction, Prediction?> change) => _predictions.Change(id, change);
}

/// <summary>Runs predictions against the clock. Every image is the same small picture.</summary>
internal sealed class PredictionEngine(
    PredictionStore predictions, Deliveries deliveries, Accounts accounts, Webhooks webhooks, Invoice invoice, Origin origin, TimeProvider time) : BackgroundService
{
    // A lossless WebP of one transparent pixel.
    private const string Pixel = "UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==";
    private readonly ConcurrentDictionary<string, Task> _running = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stopping = new();

    public void Start(string id) => _running[id] = Task.Run(() => RunAsync(id, _stopping.Token), CancellationToken.None);

    public async Task WaitAsync(string id, TimeSpan atMost, CancellationToken cancellationToken)
    {
        if (_running.TryGetValue(id, out var run))
        {
            await run.WaitAsync(atMost, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public void Accept(Prediction prediction) =>
        invoice.Accept("replicate", "prediction", prediction.Id, prediction.Account, prediction.Model, null, [], prediction.CreatedAt);

    public Prediction? Cancel(string id) => End(id, RunStatus.Canceled, null);

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await base.StopAsync(cancellationToken);
    }

    public override void Dispose()
    {
        _stopping.Dispose();
        base.Dispose();
    }

    public static JsonObject Render(Prediction prediction, string here)
    {
        var wire = new JsonObject
        {
            ["id"] = prediction.Id,
            ["model"] = prediction.Model,
            ["version"] = prediction.Version,
            ["input"] = prediction.DataRemoved ? [] : JsonObject.Create(prediction.Input),
            ["logs"] = prediction.DataRemoved || prediction.StartedAt is null ? "" : "Using seed: 42\n",
            ["output"] = prediction.Status == RunStatus.Succeeded && !prediction.DataRemoved
                ? new JsonArray([.. prediction.Images.Select((token, index) => JsonValue.Create($"{here}/delivery/xezq/{token}/out-{index}.webp"))])
                : null,
            ["data_removed"] = prediction.DataRemoved,
            ["error"] = prediction.Error,
            ["source"] = "api",
            ["status"] = prediction.Status,
            ["created_at"] = Wire.Milliseconds(prediction.CreatedAt),
        };
        if (prediction.Deadline is { } deadline)
        {
            wire["deadline"] = Wire.Milliseconds(deadline);
        }

        if (prediction.StartedAt is { } started)
        {
            wire["started_at"] = Wire.Nanoseconds(started);
        }

        if (prediction.CompletedAt is { } completed)
        {
            wire["completed_at"] = Wire.Nanoseconds(completed);
            if (prediction.PredictTime is { } predictTime)
            {
                wire["metrics"] = new JsonObject { ["predict_time"] = predictTime, ["total_time"] = (completed - prediction.CreatedAt).TotalSeconds };
            }
        }

        wire["urls"] = new JsonObject
        {
            ["cancel"] = $"{here}/v1/predictions/{prediction.Id}/cancel",
            ["get"] = $"{here}/v1/predictions/{prediction.Id}",
            ["web"] = $"https://replicate.com/p/{prediction.Id}",
        };
        return wire;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        foreach (var prediction in predictions.All.Reverse().ToList())
        {
            if (!invoice.Has(prediction.Id))
            {
                Accept(prediction);
            }

            if (!prediction.IsTerminal)
            {
                Start(prediction.Id);
                continue;
            }

            invoice.End(prediction.Id, prediction.Status, prediction.PredictTime ?? 0, Cost(prediction), prediction.CompletedAt!.Value);
            if (!prediction.CompletedDelivered)
            {
                Completed(prediction);
            }
        }

        return Task.CompletedTask;
    }

    private async Task RunAsync(string id, CancellationToken cancellationToken)
    {
        try
        {
            if (!await UntilAsync(id, prediction => prediction.StartsAt, RunStatus.Aborted, cancellationToken))
            {
                return;
            }

            var prediction = predictions.Find(id)!;
            if (InputValidation.Check(Predictions.InputsOf(prediction.Model), prediction.Input) is { } invalid)
            {
                End(id, RunStatus.Failed, invalid);
                return;
            }

            var now = time.GetUtcNow();
            if (predictions.Change(id, current => current.IsTerminal ? null : current with { Status = RunStatus.Processing, StartedAt = current.StartedAt ?? now }) is { } started)
            {
                Notify(started, WebhookEvent.Start);
            }

            if (!await UntilAsync(id, current => current.EndsAt, RunStatus.Canceled, cancellationToken))
            {
                return;
            }

            int count = prediction.Input.TryGetProperty("num_outputs", out var outputs) && outputs.ValueKind == JsonValueKind.Number ? outputs.GetInt32() : 1;
            var images = new List<string>();
            for (int index = 0; index < count; index++)
            {
                images.Add(Wire.NewDeliveryToken());
                await File.WriteAllBytesAsync(deliveries.PathOf(images[index]), Convert.FromBase64String(Pixel), cancellationToken);
            }

            predictions.Change(id, current => current.IsTerminal ? null : current with { Images = images });
            End(id, RunStatus.Succeeded, null);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The process ends; the prediction does not.
        }
        finally
        {
            _running.TryRemove(id, out _);
        }
    }

    private async Task<bool> UntilAsync(string id, Func<Prediction, DateTimeOffset> moment, string atDeadline, CancellationToken cancellationToken)
    {
        while (true)
        {
            var prediction = predictions.Find(id)!;
            var now = time.GetUtcNow();
            if (prediction.IsTerminal)
            {
                return false;
            }

            if (prediction.Deadline <= now)
            {
                End(id, atDeadline, null);
                return false;
            }

            var left = moment(prediction) - now;
            if (left <= TimeSpan.Zero)
            {
                return true;
            }

            await Task.Delay(left < TimeSpan.FromMilliseconds(200) ? left : TimeSpan.FromMilliseconds(200), time, cancellationToken);
        }
    }

    private Prediction? End(string id, string status, string? error)
    {
        var now = time.GetUtcNow();
        var ended = predictions.Change(id, current =>
        {
            if (current.IsTerminal)
            {
                return null;
            }

            var last = current with
            {
                Status = status,
                Error = error,
                CompletedAt = now,
                PredictTime = current.StartedAt is { } started ? (now - started).TotalSeconds : null,
                CompletedDelivered = !Wants(current, WebhookEvent.Completed),
            };

            // Whoever sees the end finds it on the invoice.
            invoice.End(id, status, last.PredictTime ?? 0, Cost(last), now);
            accounts.Charge(last.Account, Cost(last));
            return last;
        });
        if (ended is { CompletedDelivered: false })
        {
            Completed(ended);
        }

        return ended;
    }

    private static double Cost(Prediction prediction) => (prediction.PredictTime ?? 0) * Hardware.PerSecond(Hardware.H100);

    private static bool Wants(Prediction prediction, string webhookEvent) =>
        prediction.Webhook is not null && (prediction.WebhookEvents ?? WebhookEvent.Default).Contains(webhookEvent);

    private void Notify(Prediction prediction, string webhookEvent)
    {
        if (Wants(prediction, webhookEvent))
        {
            _ = SendAsync(prediction, webhookEvent, Wire.NewMessageId());
        }
    }

    private void Completed(Prediction prediction) => _ = SendAsync(prediction, WebhookEvent.Completed, prediction.CompletedMessageId);

    private async Task SendAsync(Prediction prediction, string webhookEvent, string messageId)
    {
        var message = new WebhookMessage(
            messageId, prediction.Id, prediction.Account, prediction.Model, webhookEvent, new Uri(prediction.Webhook!), Wire.Bytes(Render(prediction, origin.Of(prediction.Origin))));
        try
        {
            await webhooks.SendAsync(message);
            if (webhookEvent == WebhookEvent.Completed)
            {
                predictions.Change(prediction.Id, current => current with { CompletedDelivered = true });
            }
        }
        catch (OperationCanceledException)
        {
            // The process ends; the webhook is sent again by the next one.
        }
    }
}

/// <summary>The routes of predictions. Trainings answer there too: that is where the URLs of a new training lead.</summary>
internal static partial class Predictions
{
    private static readonly TimeSpan LongestRun = TimeSpan.FromMinutes(30);

    public static void Map(RouteGroupBuilder v1)
    {
        v1.MapPost("/predictions", (
            HttpContext context, PredictionStore predictions, PredictionEngine engine, ModelStore models, FileStore files, OutboundHttp http, Origin origin,
            IOptions<SandboxOptions> options, TimeProvider time) =>
            CreateAsync(context, null, predictions, engine, models, files, http, origin, options, time));
        v1.MapPost("/models/{owner}/{name}/predictions", (
            HttpContext context, string owner, string name, PredictionStore predictions, PredictionEngine engine, ModelStore models, FileStore files, OutboundHttp http, Origin origin,
            IOptions<SandboxOptions> options, TimeProvider time) =>
            CreateAsync(context, $"{owner}/{name}", predictions, engine, models, files, http, origin, options, time));
        v1.MapGet("/predictions", (HttpContext context, PredictionStore predictions, Origin origin, IOptions<SandboxOptions> options) =>
        {
            string url = origin.Of(context.Request);
            string account = context.Account().Username;
            return Paging.Page(
                context.Request,
                $"{url}/v1/predictions",
                options.Value.Replicate.PageSize,
                predictions.All.Where(prediction => prediction.Account == account),
                prediction => prediction.Number,
                prediction =>
                {
                    var listed = PredictionEngine.Render(prediction, url);
                    listed.Remove("logs");
                    return listed;
                });
        });
        v1.MapGet("/predictions/{id}", (HttpContext context, string id, PredictionStore predictions, TrainingStore trainings, Origin origin, TimeProvider time) =>
            predictions.Find(id, context.Account().Username) is { } prediction ? Reply.Json(200, PredictionEngine.Render(prediction, origin.Of(context.Request)))
            : trainings.Find(id, context.Account().Username) is { } training ? Trainings.Show(context, training, origin, time, TrainingForm.AsPrediction)
            : Trainings.Missing());
        v1.MapPost("/predictions/{id}/cancel", async (
            HttpContext context, string id, PredictionStore predictions, PredictionEngine engine, TrainingStore trainings, TrainingEngine trainingEngine, Origin origin, TimeProvider time) =>
            predictions.Find(id, context.Account().Username) is { } prediction
                ? Reply.Json(200, PredictionEngine.Render(engine.Cancel(id) ?? prediction, origin.Of(context.Request)))
                : await Trainings.CancelAsync(context, id, trainings, trainingEngine, origin, time));
    }

    public static IReadOnlyList<Input> InputsOf(string model) => model == Catalog.FluxDevLora.FullName ? Schemas.BaseModelInputs : Schemas.FineTuneInputs;

    private static async Task<IResult> CreateAsync(
        HttpContext context, string? official, PredictionStore predictions, PredictionEngine engine, ModelStore models, FileStore files, OutboundHttp http, Origin origin,
        IOptions<SandboxOptions> options, TimeProvider time)
    {
        var (body, refusal) = await RequestJson.ReadAsync(context);
        if (refusal is not null)
        {
            return refusal;
        }

        string[] known = ["input", "stream", "version", "webhook", "webhook_events_filter"];
        if (body.EnumerateObject().FirstOrDefault(property => !known.Contains(property.Name)) is { Value.ValueKind: not JsonValueKind.Undefined } extra)
        {
            return Reply.InvalidField(extra.Name, "additional_property_not_allowed", $"Additional property {extra.Name} is not allowed");
        }

        if (!body.TryGetProperty("input", out var input) || input.ValueKind != JsonValueKind.Object)
        {
            return Reply.InvalidField("input", "required", "input is required");
        }

        var account = context.Account();
        var (model, version) = Find(official ?? body.Text("version") ?? "", official is not null, account, models);
        if (model is null)
        {
            return official is null
                ? Reply.Problem(422, "The specified version does not exist (or perhaps you don't have permission to use it?)", "Invalid version or not permitted")
                : Trainings.Missing();
        }

        if (Trainings.WebhookFields(body, http, out string? webhook, out var events) is { } badWebhook)
        {
            return badWebhook;
        }

        if (Wait(context.Request) is not { } wait)
        {
            return Reply.Problem(422, "The Prefer header must be wait or wait=n with n from 1 to 60.", "Invalid header");
        }

        if (!TryDeadline(context.Request, out var lifetime))
        {
            return Reply.Problem(422, "The Cancel-After header must be a duration of at least 5 seconds.", "Invalid header");
        }

        if (account.Credit <= 0)
        {
            return Trainings.InsufficientCredit();
        }

        string here = origin.Of(context.Request);
        var now = time.GetUtcNow();
        double seconds = options.Value.Replicate.SecondsPerPrediction;
        Trainings.Source(input, here, account.Username, origin, files, InputsOf(model), out var echo);
        var prediction = new Prediction
        {
            Id = Wire.NewRunId(),
            Number = predictions.NextNumber(),
            Account = account.Username,
            Origin = here,
            Model = model,
            Version = version,
            Input = echo,
            Webhook = webhook,
            WebhookEvents = events,
            CompletedMessageId = Wire.NewMessageId(),
            CreatedAt = now,
            StartsAt = now + TimeSpan.FromSeconds(seconds * 0.2),
            EndsAt = now + TimeSpan.FromSeconds(Math.Min(seconds, LongestRun.TotalSeconds)),
            Deadline = lifetime is { } span ? now + span : null,
        };
        predictions.Add(prediction);
        engine.Accept(prediction);
        engine.Start(prediction.Id);
        if (wait > TimeSpan.Zero)
        {
            await engine.WaitAsync(prediction.Id, wait, context.RequestAborted);
        }

        var current = predictions.Find(prediction.Id)!;
        return Reply.Json(wait > TimeSpan.Zero && !current.IsTerminal ? 202 : 201, PredictionEngine.Render(current, here));
    }

    private static (string? Model, string Version) Find(string reference, bool official, Account account, ModelStore models)
    {
        string id = reference.Contains(':', StringComparison.Ordinal) ? reference[(reference.LastIndexOf(':') + 1)..] : reference;
        string? named = reference.Contains('/', StringComparison.Ordinal) ? reference.Split(':')[0] : null;
        if (named is not null && named == reference)
        {
            return Catalog.All.FirstOrDefault(model => model.FullName == named && model is { Official: true, Trainer: null }) is { } listed ? (listed.FullName, "hidden") : default;
        }

        if (official)
        {
            return default;
        }

        if (models.Version(id) is { } version && models.All.FirstOrDefault(model => model.FullName == version.Model) is { } own
            && (own.Visibility == "public" || own.Owner == account.Username) && (named ?? own.FullName) == own.FullName)
        {
            return (own.FullName, id);
        }

        return Catalog.WithVersion(id) is { Trainer: null } found && (named ?? found.FullName) == found.FullName ? (found.FullName, id) : default;
    }

    private static TimeSpan? Wait(HttpRequest request)
    {
        string prefer = request.Headers["Prefer"].ToString();
        if (prefer.Length == 0)
        {
            return TimeSpan.Zero;
        }

        if (prefer == "wait")
        {
            return TimeSpan.FromSeconds(60);
        }

        return prefer.StartsWith("wait=", StringComparison.Ordinal) && int.TryParse(prefer.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out int seconds) && seconds is >= 1 and <= 60
            ? TimeSpan.FromSeconds(seconds)
            : null;
    }

    private static bool TryDeadline(HttpRequest request, out TimeSpan? lifetime)
    {
        lifetime = null;
        string text = request.Headers["Cancel-After"].ToString();
        if (text.Length == 0)
        {
            return true;
        }

        var match = DurationPattern().Match(text);
        if (!match.Success)
        {
            return false;
        }

        double Part(string name) => match.Groups[name].Success ? double.Parse(match.Groups[name].Value, CultureInfo.InvariantCulture) : 0;
        lifetime = TimeSpan.FromSeconds((Part("h") * 3600) + (Part("m") * 60) + Part("s") + Part("n"));
        return lifetime >= TimeSpan.FromSeconds(5);
    }

    [GeneratedRegex(@"^(?:(?<n>\d{1,6})|(?=\d)(?:(?<h>\d{1,4})h)?(?:(?<m>\d{1,5})m)?(?:(?<s>\d{1,6})s)?)$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex DurationPattern();
}
