using Microsoft.AspNetCore.Http.HttpResults;

namespace Flurrty.TrainingService.Providers;

/// <summary>The providers that a training can be given to.</summary>
internal sealed record ProviderList(IReadOnlyList<ProviderDescription> Providers);

/// <summary>What can be chosen, and what it takes.</summary>
internal static class ProviderEndpoints
{
    public static IEndpointRouteBuilder MapProviders(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/api/providers", List)
            .WithName("ListProviders")
            .WithSummary("List the providers, their trainers, parameters and prices")
            .WithTags("Providers");
        return routes;
    }

    private static Ok<ProviderList> List(IEnumerable<ITrainingProvider> providers) =>
        TypedResults.Ok(new ProviderList([.. providers.Select(static provider => provider.Describe())]));
}
