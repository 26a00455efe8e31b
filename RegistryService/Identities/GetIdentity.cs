using Flurrty.RegistryService.Persistence;
using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Problems;
using Flurrty.ServiceDefaults.Tickets;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using Microsoft.Net.Http.Headers;

namespace Flurrty.RegistryService.Identities;

/// <summary>GET /api/identities/{id}: the identity as it is now, with an ETag.</summary>
internal static class GetIdentity
{
    public static void Map(IEndpointRouteBuilder routes) => routes
        .MapGet("/{id:guid}", HandleAsync)
        .WithName("GetIdentity")
        .WithSummary("Show an identity")
        .WithDescription("Send the ETag of the last answer as If-None-Match to learn cheaply that nothing has changed.")
        .Produces<IdentityView>()
        .Produces(StatusCodes.Status304NotModified)
        .ProducesProblem(StatusCodes.Status404NotFound);

    public static ProblemHttpResult NotFound() =>
        Problem.Result(404, ErrorCodes.IdentityNotFound, "There is no such identity.", "Check the id. What belongs to somebody else is not shown.");

    private static async Task<Results<Ok<IdentityView>, StatusCodeHttpResult, ProblemHttpResult>> HandleAsync(
        HttpContext context, RegistryDbContext db, Guid id, CancellationToken cancellationToken)
    {
        var accountId = context.GetCaller().AccountId;
        var identity = await db.AsAccountAsync(
            accountId,
            token => db.Identities.AsNoTracking().WithVersions().SingleOrDefaultAsync(row => row.AccountId == accountId && row.Id == id, token),
            cancellationToken);
        if (identity is null)
        {
            return NotFound();
        }

        var tag = new EntityTagHeaderValue($"\"{identity.Revision}\"");
        context.Response.GetTypedHeaders().ETag = tag;
        context.Response.GetTypedHeaders().CacheControl = new CacheControlHeaderValue { Private = true, NoCache = true };
        var known = context.Request.GetTypedHeaders().IfNoneMatch;
        return known.Any(candidate => candidate.Equals(EntityTagHeaderValue.Any) || candidate.Compare(tag, useStrongComparison: false))
            ? TypedResults.StatusCode(StatusCodes.Status304NotModified)
            : TypedResults.Ok(IdentityView.Of(identity));
    }
}
