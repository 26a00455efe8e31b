using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Flurrty.Sandbox.Faults;
using Flurrty.Sandbox.Invoices;
using Flurrty.Sandbox.Journal;
using Flurrty.Sandbox.Replicate;
using Microsoft.Extensions.Options;

namespace Flurrty.Sandbox.Admin;

/// <summary>The part of the sandbox that no provider has: for tests and for people who look on.</summary>
internal static class AdminApi
{
    private static readonly JsonSerializerOptions Json = new(DocumentJournal.Json)
    {
        DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.Never,
    };

    private static readonly JsonSerializerOptions Strict = new(DocumentJournal.Json)
    {
        UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow,
    };

    public static void MapAdmin(this WebApplication app)
    {
        var admin = app.MapGroup("/admin").AddEndpointFilter(GuardAsync);
        admin.MapGet("/invoice", (string? account, string? destination, Invoice invoice) =>
        {
            var runs = invoice.Runs.Where(run => (account ?? run.Account) == run.Account && (destination is null || destination == run.Destination)).ToList();
            return Answer(new
            {
                Count = runs.Count,
                BilledSeconds = runs.Sum(run => run.BilledSeconds),
                CostUsd = runs.Sum(run => run.CostUsd),
                Runs = runs,
            });
        });
        MapFaults(admin);
        MapState(admin);
        MapReplicate(admin.MapGroup("/replicate"));
    }

    private static void MapFaults(RouteGroupBuilder admin)
    {
        admin.MapPost("/faults", async (HttpContext context, FaultBook faults) =>
        {
            var (rule, refusal) = await ReadAsync<FaultRule>(context);
            if (refusal is not null)
            {
                return refusal;
            }

            var errors = rule!.Errors().ToList();
            return errors.Count > 0 ? Bad(string.Join("; ", errors)) : Answer(Describe(faults.Add(rule)), 201);
        });
        admin.MapGet("/faults", (FaultBook faults) => Answer(new { Faults = faults.All.Select(Describe) }));
        admin.MapGet("/faults/{id}", (string id, FaultBook faults) => faults.Find(id) is { } fault ? Answer(Describe(fault)) : Missing());
        admin.MapPost("/faults/{id}/release", (string id, FaultBook faults) =>
            faults.Find(id) is { } fault ? Answer(new { Released = FaultBook.Release(fault) }) : Missing());
        admin.MapDelete("/faults/{id}", (string id, FaultBook faults) => faults.Remove(id) ? Results.NoContent() : Missing());
        admin.MapDelete("/faults", (FaultBook faults) =>
        {
            foreach (var fault in faults.All)
            {
                faults.Remove(fault.Id);
            }

            return Results.NoContent();
        });
    }

    private static void MapState(RouteGroupBuilder admin)
    {
        admin.MapGet("/state", (TrainingStore trainings, PredictionStore predictions, Accounts accounts, ModelStore models, FileStore files, Speed speed, SandboxClock clock, IOptions<SandboxOptions> options) =>
            Answer(new
            {
                options.Value.Strict,
                speed.SecondsPerTraining,
                ClockAheadSeconds = clock.Ahead.TotalSeconds,
                Accounts = accounts.All.Select(Describe),
                Models = models.All.Select(model => new { Name = model.FullName, model.Visibility, Versions = models.Versions(model.FullName).Select(version => version.Id) }),
                Files = accounts.All.SelectMany(account => files.Of(account.Username)).Select(file => new { file.Id, file.Account, file.Name, file.Size, file.Sha256, file.ExpiresAt }),
                Trainings = trainings.All.Select(Describe),
                Predictions = predictions.All.Select(prediction => new { prediction.Id, prediction.Account, prediction.Model, prediction.Status }),
            }));
        admin.MapPut("/speed", async (HttpContext context, Speed speed) =>
        {
            var (body, refusal) = await ReadAsync<SpeedBody>(context);
            if (refusal is not null)
            {
                return refusal;
            }

            if (body!.SecondsPerTraining is not (>= 0.05 and <= 86_400))
            {
                return Bad("seconds_per_training must be from 0.05 to 86400");
            }

            speed.SecondsPerTraining = body.SecondsPerTraining;
            return Answer(body);
        });
        admin.MapPost("/clock", async (HttpContext context, SandboxClock clock, Retention retention) =>
        {
            var (body, refusal) = await ReadAsync<ClockBody>(context);
            if (refusal is not null)
            {
                return refusal;
            }

            if (body!.AdvanceSeconds is not (>= 0 and <= 31_536_000))
            {
                return Bad("advance_seconds must be from 0 to a year");
            }

            clock.Advance(TimeSpan.FromSeconds(body.AdvanceSeconds));
            retention.Sweep();
            return Answer(new { ClockAheadSeconds = clock.Ahead.TotalSeconds });
        });
    }

    private static void MapReplicate(RouteGroupBuilder replicate)
    {
        replicate.MapPatch("/accounts/{username}", async (HttpContext context, string username, Accounts accounts) =>
        {
            var (body, refusal) = await ReadAsync<JsonElement?>(context);
            if (refusal is not null)
            {
                return refusal;
            }

            if (body is not { ValueKind: JsonValueKind.Object } changes || changes.EnumerateObject().Any(property => !IsAccountField(property)))
            {
                return Bad("an object with credit (dollars or null) and requests_per_minute (1 or more, or null) is expected");
            }

            var changed = accounts.Change(username, account => account with
            {
                Credit = changes.TryGetProperty("credit", out var credit) ? credit.Deserialize<double?>() : account.Credit,
                RequestsPerMinute = changes.TryGetProperty("requests_per_minute", out var rate) ? rate.Deserialize<int?>() : account.RequestsPerMinute,
            });
            return changed is null ? Missing() : Answer(Describe(changed));
        });
        replicate.MapPost("/accounts/{username}/webhook-secret/rotate", (string username, Accounts accounts) =>
            accounts.Change(username, account => account with { WebhookSecret = Wire.NewWebhookSecret() }) is { } changed ? Answer(Describe(changed)) : Missing());
        replicate.MapGet("/webhooks", (string? run, Webhooks webhooks) => Answer(new { Attempts = webhooks.Attempts.Where(attempt => (run ?? attempt.RunId) == attempt.RunId) }));
        replicate.MapPost("/trainings/{id}/finish", async (HttpContext context, string id, TrainingStore trainings, TrainingEngine engine) =>
        {
            if (trainings.Find(id) is null)
            {
                return Missing();
            }

            engine.Hurry(id);
            await engine.WaitAsync(id, context.RequestAborted);
            return Answer(Describe(trainings.Find(id)!));
        });
        replicate.MapPost("/trainings/{id}/remove-data", (string id, Retention retention, TrainingStore trainings) =>
            trainings.Find(id) is null ? Missing() : retention.Remove(id) is { } removed ? Answer(Describe(removed)) : Bad("the training has not ended"));
    }

    private static async ValueTask<object?> GuardAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        if (http.Connection.RemoteIpAddress is { } remote && !IPAddress.IsLoopback(remote))
        {
            return Missing();
        }

        // A page in somebody's browser is on this machine too.
        if (http.Request.Headers.ContainsKey("Origin"))
        {
            return Results.Problem(statusCode: 403, detail: "The admin API is not for web pages.");
        }

        string? token = http.RequestServices.GetRequiredService<IOptions<SandboxOptions>>().Value.AdminToken;
        return string.IsNullOrEmpty(token) || Same($"Bearer {token}", http.Request.Headers.Authorization.ToString())
            ? await next(context)
            : Results.Problem(statusCode: 401, detail: "The admin API asks for its own bearer token.");
    }

    private static bool Same(string expected, string given) => CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(expected), Encoding.UTF8.GetBytes(given));

    private static bool IsAccountField(JsonProperty property) => property.Name switch
    {
        "credit" => property.Value.ValueKind is JsonValueKind.Null or JsonValueKind.Number,
        "requests_per_minute" => property.Value.ValueKind == JsonValueKind.Null || (property.Value.ValueKind == JsonValueKind.Number && property.Value.TryGetInt32(out int rate) && rate >= 1),
        _ => false,
    };

    private static async Task<(T? Body, IResult? Refusal)> ReadAsync<T>(HttpContext context)
    {
        try
        {
            var body = await JsonSerializer.DeserializeAsync<T>(context.Request.Body, Strict, context.RequestAborted);
            return body is null ? (default, Bad("a JSON object is expected")) : (body, null);
        }
        catch (JsonException error)
        {
            return (default, Bad(error.Message));
        }
    }

    private static object Describe(Account account) => new { account.Username, account.Credit, account.RequestsPerMinute };

    private static object Describe(Training training) => new
    {
        training.Id,
        training.Account,
        training.Model,
        training.Destination,
        training.InputFileId,
        training.Status,
        training.Error,
        training.CreatedAt,
        training.StartedAt,
        training.CompletedAt,
        training.DataRemoved,
        HasWebhook = training.Webhook is not null,
        training.CompletedDelivered,
        Images = training.Dataset?.Images.Count,
    };

    private static object Describe(Fault fault) => new
    {
        fault.Id,
        fault.Rule,
        fault.Seen,
        fault.Hits,
        Holding = fault.Holding.Count,
        Held = fault.Holding.Keys.Select(held => new { held.Method, held.Path, held.When, held.Since, held.SenderGone }),
    };

    private static IResult Answer(object body, int status = 200) => Results.Json(body, Json, statusCode: status);

    private static IResult Bad(string detail) => Results.Problem(statusCode: 422, detail: detail);

    private static IResult Missing() => Results.Problem(statusCode: 404, detail: "There is no such thing.");

    private sealed record SpeedBody(double SecondsPerTraining);

    private sealed record ClockBody(double AdvanceSeconds);
}
