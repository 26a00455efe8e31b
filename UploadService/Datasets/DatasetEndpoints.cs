using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Problems;
using Flurrty.ServiceDefaults.Storage;
using Flurrty.ServiceDefaults.Tickets;
using Flurrty.UploadService.Persistence;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Flurrty.UploadService.Datasets;

internal sealed record DatasetLink(string Url, long Bytes, string Sha256, int PhotoCount, string TriggerWord);

/// <summary>Datasets: TrainingService fetches a built one.</summary>
internal static class DatasetEndpoints
{
    private const string Issuer = "training";

    public static RouteHandlerBuilder MapDatasets(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/internal/datasets/{versionId:guid}", GetAsync).RequireAuthorization(TicketPolicies.Service).ExcludeFromDescription();

    private static async Task<Ok<DatasetLink>> GetAsync(
        Guid versionId, HttpContext context, UploadsContext db, ObjectStore store, IOptions<DatasetOptions> options, CancellationToken cancellationToken)
    {
        var caller = context.GetCaller();
        InternalCallers.Require(caller, Issuer);
        var found = await db.AsAccountAsync(
            caller.AccountId,
            async token => await db.Seals.AsNoTracking().Where(seal => seal.Id == versionId && seal.State == DatasetState.Built)
                .Join(db.Datasets, seal => seal.DatasetId, dataset => dataset.Id, (seal, dataset) => new { dataset, seal.TriggerWord })
                .FirstOrDefaultAsync(token),
            cancellationToken)
            ?? throw new ProblemException(404, "dataset_not_found", "There is no such dataset.", "Ask for it with BuildDataset first; it is gone once it was released.");
        var url = store.PresignGet(found.dataset.ObjectKey, options.Value.UrlLifetime);
        return TypedResults.Ok(new DatasetLink(url.AbsoluteUri, found.dataset.Bytes, found.dataset.Sha256, found.dataset.Photos, found.TriggerWord));
    }
}
