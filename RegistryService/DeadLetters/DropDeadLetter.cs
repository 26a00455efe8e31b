using Flurrty.ServiceDefaults.Tickets;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Flurrty.RegistryService.DeadLetters;

/// <summary>DELETE /api/operator/dead-letters/{queue}/{message_id}: the message is gone for good.</summary>
internal static partial class DropDeadLetter
{
    public static void Map(IEndpointRouteBuilder routes) => routes
        .MapDelete("/{queue}/{message_id:guid}", HandleAsync)
        .WithName("DropDeadLetter")
        .WithSummary("Drop a dead letter")
        .WithDescription("Removes the message for good and answers with what was told of it.")
        .Produces<DeadLetter>()
        .ProducesProblem(StatusCodes.Status404NotFound);

    private static async Task<Results<Ok<DeadLetter>, ProblemHttpResult>> HandleAsync(
        HttpContext context,
        DeadLetterQueues queues,
        ILogger<DeadLetterQueues> logger,
        string queue,
        [FromRoute(Name = "message_id")] Guid messageId,
        CancellationToken cancellationToken)
    {
        if (await queues.DropAsync(queue, messageId, cancellationToken) is not { } letter)
        {
            return ReplayDeadLetter.NotFound();
        }

        LogDropped(logger, context.GetCaller().AccountId, messageId, queue);
        return TypedResults.Ok(letter);
    }

    [LoggerMessage(5102, LogLevel.Information, "Operator {Operator} dropped message {MessageId} of {Queue}")]
    private static partial void LogDropped(ILogger logger, Guid @operator, Guid messageId, string queue);
}
