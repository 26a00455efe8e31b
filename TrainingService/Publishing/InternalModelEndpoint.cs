using Flurrty.ServiceDefaults.Problems;
using Flurrty.ServiceDefaults.Tickets;
using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Persistence;
using Flurrty.TrainingService.Trainings;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Flurrty.TrainingService.Publishing;

/// <summary>Where a model can be read for a short while. The URL is a secret while it lives.</summary>
internal sealed record ModelView(Uri Url, long Bytes, string Sha256, string FileName);

/// <summary>Hands a model to RegistryService, which hands it to its owner.</summary>
internal static class InternalModelEndpoint
{
    public static IEndpointRouteBuilder MapInternalModels(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/internal/models/{jobId:guid}", GetAsync)
            .RequireAuthorization(TicketPolicies.Service)
            .WithName("GetModel")
            .WithSummary("A short-lived URL of a job's model")
            .WithTags("Internal")
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status409Conflict);
        return routes;
    }

    private static async Task<Results<Ok<ModelView>, ProblemHttpResult>> GetAsync(
        Guid jobId, HttpContext context, TrainingContext db, ModelStore models, CancellationToken cancellationToken)
    {
        var job = await db.FindJobAsync(context.GetCaller().AccountId, jobId, cancellationToken);
        return job switch
        {
            null => TrainingEndpoints.NotFound(),
            { State: JobState.Succeeded, ModelKey: { } key, ModelBytes: { } bytes, ModelSha256: { } sha256 } =>
                TypedResults.Ok(new ModelView(models.Presign(key), bytes, sha256, $"{job.Id:N}.safetensors")),
            _ => Problem.Result(
                StatusCodes.Status409Conflict, "model_not_ready", "The training has no model yet.", "Wait until the training has succeeded."),
        };
    }
}
