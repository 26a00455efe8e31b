using Flurrty.ServiceDefaults.Problems;
using Flurrty.TrainingService.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Flurrty.TrainingService.Providers;

/// <summary>What a training would probably cost and take, by provider.</summary>
internal sealed record EstimateList(IReadOnlyList<EstimateView> Estimates);

/// <summary>The interval in which cost and time of a training will lie. In the mode <c>sandbox</c> nobody is paid it.</summary>
internal sealed record EstimateView(string Provider, string Mode, decimal MinDollars, decimal MaxDollars, int MinSeconds, int MaxSeconds);

internal static class EstimateEndpoint
{
    private const int MaxSteps = 100_000;

    public static IEndpointRouteBuilder MapEstimates(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/api/estimates", Get)
            .WithName("GetEstimates")
            .WithSummary("What a training of so many steps will probably cost and take, at each provider")
            .WithTags("Providers")
            .ProducesProblem(StatusCodes.Status400BadRequest);
        return routes;
    }

    private static Results<Ok<EstimateList>, ProblemHttpResult> Get(IEnumerable<ITrainingProvider> providers, int steps = 1000)
    {
        if (steps is < 1 or > MaxSteps)
        {
            return Problem.Result(StatusCodes.Status400BadRequest, "steps_out_of_range", "The number of steps is out of range.", $"Use 1 to {MaxSteps}.");
        }

        var parameters = new TrainingParameters { Steps = steps, Rank = 16, Resolution = "512,768,1024", TriggerWord = string.Empty };
        return TypedResults.Ok(new EstimateList([.. providers.Select(provider =>
        {
            var estimate = provider.Estimate(parameters);
            return new EstimateView(
                provider.Name,
                provider.Mode.ToText(),
                estimate.MinDollars,
                estimate.MaxDollars,
                (int)estimate.MinTime.TotalSeconds,
                (int)estimate.MaxTime.TotalSeconds);
        })]));
    }
}
