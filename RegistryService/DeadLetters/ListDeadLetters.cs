using System.ComponentModel;
using Flurrty.RegistryService.Identities;
using Flurrty.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Flurrty.RegistryService.DeadLetters;

/// <summary>GET /api/operator/dead-letters: what no consumer could take.</summary>
internal static class ListDeadLetters
{
    private const int Usual = 100;
    private const int Most = 500;

    public static void Map(IEndpointRouteBuilder routes) => routes
        .MapGet("", HandleAsync)
        .WithName("ListDeadLetters")
        .WithSummary("List dead letters")
        .WithDescription("Messages that a consumer failed at to the end (queues …_error) or that none takes (…_skipped). Never their content, nor what the exception said.")
        .Produces<DeadLetterList>()
        .ProducesProblem(StatusCodes.Status400BadRequest);

    private static async Task<Results<Ok<DeadLetterList>, ProblemHttpResult>> HandleAsync(
        DeadLetterQueues queues, [Description("1 to 500; 100 if left out.")] string? limit, CancellationToken cancellationToken)
    {
        var size = Usual;
        return limit is not null && (!int.TryParse(limit, out size) || size is < 1 or > Most)
            ? Problem.Result(400, ErrorCodes.InvalidLimit, "The limit is not valid.", $"limit is a whole number from 1 to {Most}.")
            : TypedResults.Ok(await queues.ListAsync(size, cancellationToken));
    }
}
