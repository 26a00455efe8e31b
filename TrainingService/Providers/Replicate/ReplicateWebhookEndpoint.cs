using Flurrty.TrainingService.Webhooks;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Flurrty.TrainingService.Providers.Replicate;

/// <summary>Replicate's webhooks: signed as Standard Webhooks, with the secret of the account.</summary>
internal static class ReplicateWebhookEndpoint
{
    public static void MapReplicateWebhooks(this IEndpointRouteBuilder routes) =>
        routes.MapWebhook(ReplicateProvider.ProviderName, ReceiveAsync)
            .WithName("ReceiveReplicateWebhook")
            .WithSummary("Receive a webhook of Replicate");

    // Without the provider there is no secret: the mode is off.
    private static async Task<Results<NoContent, ProblemHttpResult>> ReceiveAsync(
        string token,
        HttpRequest request,
        WebhookReceiver receiver,
        [FromServices] ReplicateWebhookSecret? secret,
        CancellationToken cancellationToken) =>
        secret is null ? WebhookReceiver.Unknown() : await receiver.ReceiveAsync(token, request, secret.VerifyAsync, cancellationToken);
}
