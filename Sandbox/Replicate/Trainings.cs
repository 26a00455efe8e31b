using System.Text.Json;
using System.Text.Json.Nodes;
using Flurrty.Sandbox.Faults;
using Microsoft.Extensions.Options;

namespace Flurrty.Sandbox.Replicate;

/// <summary>The routes of trainings.</summary>
internal static class Trainings
{
    private const int LargestInlineInput = 256 * 1024;

    public static void Map(RouteGroupBuilder v1)
    {
        v1.MapPost("/models/{owner}/{name}/versions/{version}/trainings", CreateAsync);
        v1.MapGet("/trainings", (HttpContext context, TrainingStore trainings, Origin origin, IOptions<SandboxOptions> options, TimeProvider time) =>
        {
            string url = origin.Of(context.Request);
            string account = context.Account().Username;
            var now = time.GetUtcNow();
            return Paging.Page(
                context.Request,
                $"{url}/v1/trainings",
                options.Value.Replicate.PageSize,
                trainings.Of(account),
                training => training.Number,
                training => TrainingWire.Render(training, url, TrainingForm.Listed, now));
        });
        v1.MapGet("/trainings/{id}", (HttpContext context, string id, TrainingStore trainings, Origin origin, TimeProvider time) =>
            trainings.Find(id, context.Account().Username) is { } training ? Show(context, training, origin, time, TrainingForm.Full) : Missing());
        v1.MapPost("/trainings/{id}/cancel", (HttpContext context, string id, TrainingStore trainings, TrainingEngine engine, Origin origin, TimeProvider time) =>
            CancelAsync(context, id, trainings, engine, origin, time));
    }

    public static Reply Missing() => Reply.Problem(404, "The requested resource could not be found.", "Not found");

    public static Reply Show(HttpContext context, Training training, Origin origin, TimeProvider time, TrainingForm form, int status = 200) =>
        Reply.Raw(status, "application/json", TrainingWire.Bytes(training, origin.Of(context.Request), form, time.GetUtcNow()));

    public static async Task<IResult> CancelAsync(
        HttpContext context, string id, TrainingStore trainings, TrainingEngine engine, Origin origin, TimeProvider time)
    {
        if (trainings.Find(id, context.Account().Username) is not { } training)
        {
            return Missing();
        }

        var canceled = engine.Cancel(id);
        if (canceled is null && training.Quirks.Cancel == CancelQuirk.TooLate)
        {
            await engine.WaitAsync(id, context.RequestAborted);
        }

        return Show(context, canceled ?? trainings.Find(id)!, origin, time, TrainingForm.AsPrediction);
    }

    private static async Task<IResult> CreateAsync(
        HttpContext context,
        string owner,
        string name,
        string version,
        TrainingStore trainings,
        ModelStore models,
        FileStore files,
        TrainingEngine engine,
        FaultBook faults,
        OutboundHttp http,
        Speed speed,
        Origin origin,
        IOptions<SandboxOptions> options,
        TimeProvider time)
    {
        var (body, refusal) = await RequestJson.ReadAsync(context);
        if (refusal is not null)
        {
            return refusal;
        }

        if (Catalog.Find(owner, name) is not { Trainer: not null } listed || listed.Version(version) is null)
        {
            return Reply.Problem(422, "The specified version does not exist (or perhaps you don't have permission to use it?)", "Invalid version or not permitted");
        }

        if (string.IsNullOrEmpty(body.Text("destination")))
        {
            return Reply.InvalidField("destination", "required", "destination is required");
        }

        if (!body.TryGetProperty("input", out var input) || input.ValueKind != JsonValueKind.Object)
        {
            return Reply.InvalidField("input", "required", "input is required");
        }

        if (WebhookFields(body, http, out string? webhook, out var events) is { } badWebhook)
        {
            return badWebhook;
        }

        var account = context.Account();
        string[] destination = body.Text("destination")!.Split('/');
        if (destination.Length != 2 || destination[0] != account.Username || models.Find(destination[0], destination[1]) is not { } model)
        {
            return Reply.Problem(404, "The specified training destination does not exist");
        }

        if (account.Credit <= 0)
        {
            return InsufficientCredit();
        }

        string here = origin.Of(context.Request);
        var images = Source(input, here, account.Username, origin, files, listed.Trainer.Inputs, out var echo);
        if (images.Url is { } inline && inline.StartsWith("data:", StringComparison.OrdinalIgnoreCase) && options.Value.Strict && inline.Length > LargestInlineInput)
        {
            return Reply.InvalidField("input.input_images", "invalid", "data URIs must not be larger than 256 KB");
        }

        if (images.FileId is { } file && files.Find(file)?.Account != account.Username && options.Value.Replicate.MissingInput == MissingInput.Refuse)
        {
            return Reply.InvalidField("input.input_images", "invalid", "the file does not exist");
        }

        var quirks = faults.TakeTraining(model.FullName) ?? new TrainingQuirks();
        var now = Milliseconds(time.GetUtcNow());
        double total = speed.SecondsPerTraining;
        double starting = quirks.StartingSeconds ?? total * 0.1;
        var training = new Training
        {
            Id = Wire.NewRunId(),
            Number = trainings.NextNumber(),
            Account = account.Username,
            Origin = here,
            Model = listed.FullName,
            Version = version,
            Destination = model.FullName,
            Input = echo,
            InputFileId = images.FileId,
            InputUrl = images.Url,
            Webhook = webhook,
            WebhookEvents = events,
            CompletedMessageId = Wire.NewMessageId(),
            CreatedAt = now,
            StartsAt = now + TimeSpan.FromSeconds(starting),
            Seconds = quirks.Seconds ?? total * 0.9,
            NewVersion = Wire.NewVersionId(),
            DeliveryToken = Wire.NewDeliveryToken(),
            Quirks = quirks,
        };
        trainings.Add(training);
        engine.Invoice(training);
        engine.Start(training.Id);
        return Show(context, training, origin, time, TrainingForm.Created, 201);
    }

    public static Reply InsufficientCredit() => Reply.Problem(
        402,
        "You have insufficient credit to run this model. Go to https://replicate.com/account/billing#billing to purchase credit. Once you purchase credit, please wait a few minutes before trying again.",
        "Insufficient credit");

    public static Reply? WebhookFields(JsonElement body, OutboundHttp http, out string? webhook, out IReadOnlyList<string>? events)
    {
        webhook = body.Text("webhook");
        events = null;
        if (webhook is not null)
        {
            if (!Uri.TryCreate(webhook, UriKind.Absolute, out var url))
            {
                return Reply.InvalidField("webhook", "invalid", "webhook must be a URL");
            }

            if (http.Refusal(url) is { } refused)
            {
                return Reply.InvalidField("webhook", "invalid", $"webhook {refused}");
            }
        }

        if (!body.TryGetProperty("webhook_events_filter", out var filter) || filter.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        if (filter.ValueKind != JsonValueKind.Array || filter.EnumerateArray().Any(item => item.ValueKind != JsonValueKind.String || !WebhookEvent.All.Contains(item.GetString()!)))
        {
            return Reply.InvalidField("webhook_events_filter", "invalid", "webhook_events_filter must be a list of: start, output, logs, completed");
        }

        events = [.. filter.EnumerateArray().Select(item => item.GetString()!).Distinct(StringComparer.Ordinal)];
        return null;
    }

    /// <summary>Puts signed links in place of files and takes secrets out; finds where the images come from.</summary>
    public static (string? FileId, string? Url) Source(
        JsonElement input, string here, string account, Origin origin, FileStore files, IReadOnlyList<Input> inputs, out JsonElement echo)
    {
        (string? FileId, string? Url) images = default;
        var echoed = new JsonObject();
        foreach (var property in input.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.String)
            {
                echoed[property.Name] = JsonNode.Parse(property.Value.GetRawText());
                continue;
            }

            string text = property.Value.GetString()!;
            var (id, file) = OwnFile(text, here, origin, files);
            echoed[property.Name] = file?.Account == account ? files.SignedUrl(here, file)
                : inputs.Any(known => known.Name == property.Name && known.Type == InputType.Secret) ? "[REDACTED]"
                : text;
            if (property.Name == "input_images" && text.Length > 0)
            {
                images = id is null ? (null, text) : (id, null);
            }
        }

        using var document = JsonDocument.Parse(echoed.ToJsonString(Wire.Json));
        echo = document.RootElement.Clone();
        return images;
    }

    private static (string? Id, StoredFile? File) OwnFile(string text, string here, Origin origin, FileStore files)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || !origin.IsOwn(url, here))
        {
            return default;
        }

        string[] segments = url.AbsolutePath.Split('/', StringSplitOptions.RemoveEmptyEntries);
        return segments is ["v1", "files", var id, ..] ? (id, files.Find(id)) : default;
    }

    private static DateTimeOffset Milliseconds(DateTimeOffset at) => new(at.UtcTicks / TimeSpan.TicksPerMillisecond * TimeSpan.TicksPerMillisecond, TimeSpan.Zero);
}
