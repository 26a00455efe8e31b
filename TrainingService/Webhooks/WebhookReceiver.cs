using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Problems;
using Flurrty.ServiceDefaults.Tickets;
using Flurrty.TrainingService.Persistence;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Flurrty.TrainingService.Webhooks;

/// <summary>Receives a provider's webhook. One only makes the driver look sooner; what it says is read again from the provider.</summary>
internal sealed class WebhookReceiver(
    [FromKeyedServices(Dispatcher.Key)] NpgsqlDataSource dispatcher, TrainingContext db, WebhookSlots slots, TimeProvider time)
{
    public const int MaxBodyBytes = 10 * 1024 * 1024;

    private static readonly TimeSpan BodyTimeout = TimeSpan.FromSeconds(10);

    /// <summary>The answer where no training was given this URL.</summary>
    public static ProblemHttpResult Unknown() => Problem.Result(
        StatusCodes.Status404NotFound, "webhook_unknown", "There is no such webhook.", "Use the URL that was given with the training.");

    /// <summary>Receives a delivery and, where the provider's own check finds it genuine, makes its job due.</summary>
    public async Task<Results<NoContent, ProblemHttpResult>> ReceiveAsync(
        string token,
        HttpRequest request,
        Func<WebhookDelivery, CancellationToken, ValueTask<WebhookVerdict>> verify,
        CancellationToken cancellationToken)
    {
        // Unknown tokens are turned away before a byte of the body is read.
        if (WebhookToken.Parse(token) is not { } known || await FindAsync(known, cancellationToken) is not var (jobId, accountId))
        {
            return Unknown();
        }

        using var slot = slots.Take(jobId);
        if (!slot.IsAcquired)
        {
            return Problem.Result(
                StatusCodes.Status429TooManyRequests, "webhook_busy", "Webhooks of this training are being received already.", "Deliver it again later.");
        }

        try
        {
            using var body = new MemoryStream();
            using (var late = new CancellationTokenSource(BodyTimeout, time))
            using (var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken))
            {
                await request.Body.CopyToAsync(body, either.Token);
            }

            var delivery = new WebhookDelivery(
                request.Headers["webhook-id"], request.Headers["webhook-timestamp"], request.Headers["webhook-signature"],
                body.GetBuffer().AsMemory(0, (int)body.Length));
            switch (await verify(delivery, cancellationToken))
            {
                case WebhookVerdict.Malformed:
                    return Problem.Result(
                        StatusCodes.Status400BadRequest, "webhook_malformed", "The webhook's headers are malformed.",
                        "Send webhook-id, webhook-timestamp and webhook-signature.");
                case WebhookVerdict.Stale:
                    return Problem.Result(
                        StatusCodes.Status401Unauthorized, "webhook_stale", "The webhook is too old or from the future.",
                        "Send it within five minutes of its timestamp.");
                case WebhookVerdict.Forged:
                    return Problem.Result(
                        StatusCodes.Status401Unauthorized, "webhook_signature_invalid", "The webhook's signature does not match.",
                        "Sign it with the account's webhook secret.");
                case WebhookVerdict.Unverifiable:
                    return Problem.Result(
                        StatusCodes.Status503ServiceUnavailable, "webhook_secret_unavailable", "The webhook cannot be checked now.",
                        "Deliver it again later.");
                default:
                    await WakeAsync(accountId, jobId, known, delivery.Id!, cancellationToken);
                    return TypedResults.NoContent();
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return Problem.Result(
                StatusCodes.Status408RequestTimeout, "webhook_too_slow", "The webhook's body came too slowly.",
                $"Send it within {BodyTimeout.TotalSeconds:0} seconds.");
        }
    }

    private async Task<(Guid JobId, Guid AccountId)?> FindAsync(WebhookToken token, CancellationToken cancellationToken)
    {
        await using var command = dispatcher.CreateCommand("SELECT id, account_id FROM find_webhook($1)");
        command.Parameters.Add(new NpgsqlParameter { Value = token.Hash });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken) ? (reader.GetGuid(0), reader.GetGuid(1)) : null;
    }

    private Task WakeAsync(Guid accountId, Guid jobId, WebhookToken token, string webhookId, CancellationToken cancellationToken) =>
        db.AsAccountAsync(
            accountId,
            async ct =>
            {
                var attemptId = await db.Attempts.Where(attempt => attempt.WebhookTokenHash == token.Hash).Select(attempt => attempt.Id).SingleAsync(ct);
                var isNew = await db.Database.ExecuteSqlAsync(
                    $"""
                    INSERT INTO webhook_events (account_id, attempt_id, webhook_id, received_at)
                    VALUES ({accountId}, {attemptId}, {webhookId}, clock_timestamp()) ON CONFLICT DO NOTHING
                    """,
                    ct);
                if (isNew > 0)
                {
                    await db.WakeAsync(jobId, ct);
                }
            },
            cancellationToken);
}

/// <summary>The routes of webhooks: one for each provider.</summary>
internal static class WebhookRoutes
{
    /// <summary>Maps <c>/webhooks/{provider}/{token}</c>, for callers that the gateway passed on.</summary>
    public static RouteHandlerBuilder MapWebhook(this IEndpointRouteBuilder routes, string provider, Delegate receive) =>
        routes.MapPost($"/webhooks/{provider}/{{token}}", receive)
            .RequireAuthorization(TicketPolicies.Webhook)
            .WithTags("Webhooks")
            .WithMetadata(new RequestSizeLimitAttribute(WebhookReceiver.MaxBodyBytes))
            .ProducesProblem(StatusCodes.Status400BadRequest)
            .ProducesProblem(StatusCodes.Status401Unauthorized)
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status408RequestTimeout)
            .ProducesProblem(StatusCodes.Status413PayloadTooLarge)
            .ProducesProblem(StatusCodes.Status429TooManyRequests)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable);
}
