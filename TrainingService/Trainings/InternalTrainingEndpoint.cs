using Flurrty.ServiceDefaults.Tickets;
using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Persistence;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Flurrty.TrainingService.Trainings;

/// <summary>Where a job stands, for the service that waits for it.</summary>
internal sealed record TrainingStateView(
    Guid JobId,
    long Revision,
    string State,
    string Stage,
    int Progress,
    int Attempt,
    string? Provider,
    DateTimeOffset? EstimatedCompletion,
    string? WaitingReason,
    DateTimeOffset? WaitingUntil,
    TrainingFailureView? Failure,
    TrainingModelView? Model);

/// <summary>Lets RegistryService ask about jobs that it has not heard of for a while.</summary>
internal static class InternalTrainingEndpoint
{
    public static IEndpointRouteBuilder MapInternalTrainings(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/internal/trainings/{jobId:guid}", GetAsync)
            .RequireAuthorization(TicketPolicies.Service)
            .WithName("GetTrainingState")
            .WithSummary("Where a job stands")
            .WithTags("Internal")
            .ProducesProblem(StatusCodes.Status404NotFound);
        return routes;
    }

    private static async Task<Results<Ok<TrainingStateView>, ProblemHttpResult>> GetAsync(
        Guid jobId, HttpContext context, TrainingContext db, CancellationToken cancellationToken)
    {
        var job = await db.FindJobAsync(context.GetCaller().AccountId, jobId, cancellationToken);
        return job is null
            ? TrainingEndpoints.NotFound()
            : TypedResults.Ok(new TrainingStateView(
                job.Id,
                job.Revision,
                job.State.ToText(),
                job.State.ToText(),
                job.Progress,
                job.AttemptNumber,
                job.Provider,
                job.EstimatedCompletion,
                job.WaitingReason?.ToText(),
                job.WaitingUntil,
                TrainingEndpoints.FailureOf(job),
                job.State == JobState.Succeeded ? TrainingEndpoints.ModelOf(job) : null));
    }
}
