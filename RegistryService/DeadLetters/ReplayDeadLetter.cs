using Flurrty.ServiceDefaults.Problems;
using Flurrty.ServiceDefaults.Tickets;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Flurrty.RegistryService.DeadLetters;

/// <summary>POST /api/operator/dead-letters/{queue}/{message_id}/replay: its consumer tries again.</summary>
internal static partial class ReplayDeadLetter
{
    public static void Map(IEndpointRouteBuilder routes) => routes
        .MapPost("/{queue}/{message_id:guid}/replay", HandleAsync)
        .WithName("ReplayDeadLetter")
        .WithSummary("Replay a dead letter")
        .WithDescription("Puts the message back into the queue that it came from and answers with what was told of it. Safe to repeat: a consumer acts on a message once.")
        .Produces<DeadLetter>()
        .ProducesProblem(StatusCodes.Status404NotFound)
        .ProducesProblem(StatusCodes.Status409Conflict);

    public static ProblemHttpResult NotFound() => Problem.Result(
        404,
        "dead_letter_not_found",
        "There is no such dead letter.",
        $"Take queue and message id from the list. A letter behind {DeadLetterQueues.MostSearched} others of its queue is found when those are gone.");

    private static async Task<Results<Ok<DeadLetter>, ProblemHttpResult>> HandleAsync(
        HttpContext context,
        DeadLetterQueues queues,
        ILogger<DeadLetterQueues> logger,
        string queue,
        [FromRoute(Name = "message_id")] Guid messageId,
        CancellationToken cancellationToken)
    {
        if (await queues.ReplayAsync(queue, messageId, cancellationToken) is not { } letter)
        {
            return NotFound();
        }

        LogReplayed(logger, context.GetCaller().AccountId, messageId, queue);
        return TypedResults.Ok(letter);
    }

    [LoggerMessage(5101, LogLevel.Information, "Operator {Operator} replayed message {MessageId} of {Queue}")]
    private static partial void LogReplayed(ILogger logger, Guid @operator, Guid messageId, string queue);
}
