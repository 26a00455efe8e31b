using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Webhooks;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Flurrty.TrainingService.Providers;

/// <summary>The providers that a training can be given to.</summary>
internal sealed record ProviderList(IReadOnlyList<ProviderView> Providers);

/// <summary>A provider: what it trains with, and whether it may be chosen now.</summary>
/// <param name="Name">The name that callers choose it by.</param>
/// <param name="Mode"><c>live</c> is the real one and costs money; <c>sandbox</c> only plays it.</param>
/// <param name="Available">Whether it lets us in, as far as is known.</param>
/// <param name="Reason">Why it is not available.</param>
/// <param name="Webhooks">Whether it is asked to tell by webhook when a run moves; else it is looked at.</param>
/// <param name="Trainers">What it trains with, within which limits, at which price.</param>
internal sealed record ProviderView(
    string Name, string Mode, bool Available, ProviderReason? Reason, bool Webhooks, IReadOnlyList<TrainerDescription> Trainers);

/// <summary>Why a provider is not available.</summary>
/// <param name="Code">A stable code.</param>
/// <param name="Detail">What happened and what to do.</param>
internal sealed record ProviderReason(string Code, string Detail);

/// <summary>What can be chosen, and what it takes.</summary>
internal static class ProviderEndpoints
{
    public static IEndpointRouteBuilder MapProviderList(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/api/providers", List)
            .WithName("ListProviders")
            .WithSummary("List the providers, whether they are live and available, their trainers, parameters and prices")
            .WithTags("Providers");
        return routes;
    }

    private static Ok<ProviderList> List(IEnumerable<ITrainingProvider> providers, AccessChecks access, PublicUrl publicUrl) =>
        TypedResults.Ok(new ProviderList([.. providers.Select(provider => View(provider, access.Of(provider.Name), publicUrl.Works))]));

    private static ProviderView View(ITrainingProvider provider, ProviderAccess access, bool webhooks)
    {
        var description = provider.Describe();
        return new ProviderView(
            description.Name,
            provider.Mode.ToText(),
            access.State == AccessState.Accepted,
            access.State switch
            {
                AccessState.Accepted => null,
                AccessState.Refused => new ProviderReason(
                    "provider_credentials_refused", $"{access.Detail} Its token must be replaced by the operator; until then trainings wait."),
                AccessState.Unreachable => new ProviderReason(
                    "provider_unreachable", $"{access.Detail} It is tried again by itself; a training waits for it for a while."),
                _ => new ProviderReason("provider_unchecked", "Its token is being checked. Ask again in a few seconds."),
            },
            description.Webhooks && webhooks,
            description.Trainers);
    }
}
