using System.Diagnostics;
using System.Text.Json;
using Flurrty.Messaging;
using Flurrty.RegistryService.Persistence;
using Flurrty.RegistryService.Versions;
using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Problems;
using Flurrty.ServiceDefaults.Tickets;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Flurrty.RegistryService.Identities;

/// <summary>POST /api/identities: seals the photo set, records the identity with its first version, and asks for the training.</summary>
internal sealed class CreateIdentity(RegistryDbContext db, PhotoSetSeals seals, Outbox outbox, IOptions<ReconcilerOptions> reconciler)
{
    private const int MaxBodyBytes = 128 * 1024;
    private const int RetryAfterSeconds = 5;
    private const string Replayed = "Idempotency-Replayed";
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    public static void Map(IEndpointRouteBuilder routes) => routes
        .MapPost("", (HttpContext context, CreateIdentity endpoint, CancellationToken cancellationToken) => endpoint.HandleAsync(context, cancellationToken))
        .WithName("CreateIdentity")
        .WithSummary("Create an identity and start its training")
        .WithDescription("Seals the photo set and starts the training of version 1. Follow it at the Location. Send an Idempotency-Key to make a repeat harmless.")
        .Accepts<CreateIdentityRequest>("application/json")
        .Produces<IdentityView>(StatusCodes.Status202Accepted)
        .ProducesProblem(StatusCodes.Status400BadRequest)
        .ProducesProblem(StatusCodes.Status404NotFound)
        .ProducesProblem(StatusCodes.Status413PayloadTooLarge)
        .ProducesProblem(StatusCodes.Status415UnsupportedMediaType)
        .ProducesProblem(StatusCodes.Status422UnprocessableEntity)
        .ProducesProblem(StatusCodes.Status503ServiceUnavailable);

    private async Task<Results<Accepted<IdentityView>, ProblemHttpResult>> HandleAsync(HttpContext context, CancellationToken cancellationToken)
    {
        string? key = null;
        if (context.Request.Headers.TryGetValue(IdempotencyKey.Header, out var keys))
        {
            key = keys.Count == 1 ? keys[0] : "";
            if (!IdempotencyKey.IsValid(key ?? ""))
            {
                return Problem.Result(
                    400, ErrorCodes.InvalidIdempotencyKey, "The Idempotency-Key is not valid.", "Send one key of 1 to 255 printable ASCII characters.");
            }
        }

        var (body, refusal) = await ReadBodyAsync(context.Request, cancellationToken);
        if (refusal is not null)
        {
            return refusal;
        }

        NewIdentity? wanted;
        using (body)
        {
            wanted = IdentityRequest.Read(body!.RootElement, out var errors);
            if (wanted is null)
            {
                return Refuse(errors);
            }
        }

        var accountId = context.GetCaller().AccountId;
        return await CreateAsync(context, accountId, wanted, key, cancellationToken);
    }

    private async Task<Results<Accepted<IdentityView>, ProblemHttpResult>> CreateAsync(
        HttpContext context, Guid accountId, NewIdentity wanted, string? key, CancellationToken cancellationToken)
    {
        var fingerprint = wanted.Fingerprint();
        if (key is not null && await FindAsync(accountId, key, cancellationToken) is { } earlier)
        {
            return Replay(context, earlier, fingerprint);
        }

        var versionId = key is null ? Guid.CreateVersion7() : IdempotencyKey.VersionId(accountId, key, fingerprint);
        var triggerWord = wanted.TriggerWord ?? TriggerWord.For(versionId);
        var answer = await seals.SealAsync(accountId, versionId, wanted.PhotoSetId, triggerWord, cancellationToken);
        if (answer.Refusal is { } problem)
        {
            return TypedResults.Problem(problem);
        }

        if (answer.Seal is not { } seal)
        {
            context.Response.Headers.RetryAfter = RetryAfterSeconds.ToString();
            return Problem.Result(
                503, ErrorCodes.PhotoSetsUnavailable, "The photo sets cannot be reached.", "Nothing was created. Send the request again in a few seconds.");
        }

        var (identity, isReplay) = await StoreAsync(accountId, wanted, key, fingerprint, versionId, triggerWord, seal, cancellationToken);
        return isReplay ? Replay(context, identity, fingerprint) : Accept(identity);
    }

    private async Task<(Identity Identity, bool IsReplay)> StoreAsync(
        Guid accountId, NewIdentity wanted, string? key, string fingerprint, Guid versionId, string triggerWord, SealedPhotoSet seal, CancellationToken cancellationToken) =>
        await db.AsAccountAsync(
            accountId,
            async token =>
            {
                const int First = 1;
                if (key is not null && await TakeKeyAsync(accountId, key, token) is { } winner)
                {
                    return (winner, true);
                }

                var now = await db.NowAsync(token);
                var identity = new Identity
                {
                    Id = Guid.CreateVersion7(),
                    AccountId = accountId,
                    Name = wanted.Name,
                    PhotoSetId = wanted.PhotoSetId,
                    Customization = wanted.Customization,
                    ActiveVersionId = versionId,
                    IdempotencyKey = key,
                    IdempotencyFingerprint = key is null ? null : fingerprint,
                    CreatedAt = now,
                };
                identity.Touch(now);
                var version = new IdentityVersion
                {
                    Id = versionId,
                    AccountId = accountId,
                    IdentityId = identity.Id,
                    Number = First,
                    ModelId = $"{IdentityName.Slug(wanted.Name)}-{versionId.ToString("N")[^12..]}",
                    Provider = wanted.Provider,
                    Preset = wanted.Training.Preset,
                    Steps = wanted.Training.Steps,
                    Rank = wanted.Training.Rank,
                    LearningRate = wanted.Training.LearningRate,
                    Resolution = wanted.Training.Resolution,
                    TriggerWord = triggerWord,
                    PhotoCount = seal.PhotoCount,
                    ThumbnailPhotoId = seal.ThumbnailPhotoId,
                    CausedBy = CausingRequest(),
                    CreatedAt = now,
                };
                version.Begin(now, reconciler.Value.ResendAfter);
                identity.Versions.Add(version);
                db.Identities.Add(identity);
                outbox.Send(db, accountId, TrainingCommand.For(version));
                await db.SaveChangesAsync(token);
                return (identity, false);
            },
            cancellationToken);

    /// <summary>Lets one request at a time create under a key, until its transaction ends: the others find what it made, and no insert fails.</summary>
    private async Task<Identity?> TakeKeyAsync(Guid accountId, string key, CancellationToken cancellationToken)
    {
        _ = await db.Database.ExecuteSqlAsync($"SELECT pg_advisory_xact_lock(hashtextextended({$"{accountId}/{key}"}, 1))", cancellationToken);
        return await QueryAsync(accountId, key, cancellationToken);
    }

    private async Task<Identity?> QueryAsync(Guid accountId, string key, CancellationToken cancellationToken) => await db.Identities.AsNoTracking().WithVersions()
        .SingleOrDefaultAsync(identity => identity.AccountId == accountId && identity.IdempotencyKey == key, cancellationToken);

    private async Task<Identity?> FindAsync(Guid accountId, string key, CancellationToken cancellationToken) =>
        await db.AsAccountAsync(
            accountId,
            async token => await QueryAsync(accountId, key, token),
            cancellationToken);

    private static Results<Accepted<IdentityView>, ProblemHttpResult> Replay(HttpContext context, Identity earlier, string fingerprint)
    {
        if (!string.Equals(earlier.IdempotencyFingerprint, fingerprint, StringComparison.Ordinal))
        {
            return Problem.Result(
                422, ErrorCodes.IdempotencyKeyReused, "The Idempotency-Key belongs to another request.", "Use a new key for a new request; repeat the same body to repeat one.");
        }

        context.Response.Headers[Replayed] = "true";
        return Accept(earlier);
    }

    private static Accepted<IdentityView> Accept(Identity identity) => TypedResults.Accepted($"/api/identities/{identity.Id}", IdentityView.Of(identity));

    private static ProblemHttpResult Refuse(IReadOnlyList<FieldError> errors)
    {
        var codes = errors.Select(error => error.Code).Distinct(StringComparer.Ordinal).ToArray();
        var code = codes.Length == 1 ? codes[0] : ErrorCodes.ValidationFailed;
        return Problem.Result(
            StatusCodes.Status422UnprocessableEntity,
            code,
            "The identity cannot be created from this.",
            string.Join(' ', errors.Select(error => error.Detail)),
            new Dictionary<string, object?>(StringComparer.Ordinal) { ["errors"] = errors });
    }

    private static async Task<(JsonDocument? Body, ProblemHttpResult? Refusal)> ReadBodyAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        if (!request.HasJsonContentType())
        {
            return (null, Problem.Result(415, ErrorCodes.UnsupportedMediaType, "The body must be JSON.", "Send the body with Content-Type: application/json."));
        }

        var buffer = new byte[MaxBodyBytes + 1];
        var length = await request.Body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken);
        if (length > MaxBodyBytes)
        {
            return (null, Problem.Result(413, ErrorCodes.RequestTooLarge, "The request's body is too large.", "An identity's request has at most 128 KiB."));
        }

        var json = buffer.AsMemory(0, length);
        try
        {
            return (JsonDocument.Parse(json, Strict), null);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return (null, Problem.Result(400, ErrorCodes.InvalidJson, "The body is not valid JSON.", JsonFault.Of(json)));
        }
    }

    // The trace's id is also the id of the causing request, so that every message leads back to its trace.
    private static Guid CausingRequest() =>
        Activity.Current is { IdFormat: ActivityIdFormat.W3C } activity ? Guid.ParseExact(activity.TraceId.ToHexString(), "N") : Guid.CreateVersion7();
}
