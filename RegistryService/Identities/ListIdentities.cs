using System.Buffers.Text;
using System.ComponentModel;
using Flurrty.RegistryService.Persistence;
using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Problems;
using Flurrty.ServiceDefaults.Tickets;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Flurrty.RegistryService.Identities;

/// <summary>GET /api/identities: newest first, page by page.</summary>
internal static class ListIdentities
{
    private const int DefaultLimit = 20;
    private const int MaxLimit = 100;
    private const int IdBytes = 16;

    public static void Map(IEndpointRouteBuilder routes) => routes
        .MapGet("", HandleAsync)
        .WithName("ListIdentities")
        .WithSummary("List identities, newest first")
        .Produces<IdentityPage>()
        .ProducesProblem(StatusCodes.Status400BadRequest);

    private static async Task<Results<Ok<IdentityPage>, ProblemHttpResult>> HandleAsync(
        HttpContext context,
        RegistryDbContext db,
        [Description("next_cursor of the page before.")] string? cursor,
        [Description("1 to 100; 20 if left out.")] string? limit,
        CancellationToken cancellationToken)
    {
        var size = DefaultLimit;
        if (limit is not null && (!int.TryParse(limit, out size) || size is < 1 or > MaxLimit))
        {
            return Problem.Result(400, ErrorCodes.InvalidLimit, "The limit is not valid.", $"limit is a whole number from 1 to {MaxLimit}.");
        }

        var before = cursor is null ? null : ReadCursor(cursor);
        if (cursor is not null && before is null)
        {
            return Problem.Result(400, ErrorCodes.InvalidCursor, "The cursor is not valid.", "Send the next_cursor of the page before, or none for the first page.");
        }

        var accountId = context.GetCaller().AccountId;
        var found = await db.AsAccountAsync(
            accountId,
            token =>
            {
                // Ids of version 7 grow with time, so that one column is the key of the page.
                var identities = db.Identities.AsNoTracking().Where(identity => identity.AccountId == accountId);
                if (before is { } id)
                {
                    identities = identities.Where(identity => identity.Id < id);
                }

                return identities.OrderByDescending(identity => identity.Id).Take(size + 1).WithVersions().ToListAsync(token);
            },
            cancellationToken);
        var more = found.Count > size;
        var items = found.Take(size).Select(IdentityView.Of).ToList();
        return TypedResults.Ok(new IdentityPage(items, more ? WriteCursor(items[^1].Id) : null));
    }

    private static string WriteCursor(Guid id) => Base64Url.EncodeToString(id.ToByteArray(bigEndian: true));

    private static Guid? ReadCursor(string cursor)
    {
        Span<byte> id = stackalloc byte[IdBytes];
        return Base64Url.IsValid(cursor, out var length) && length == IdBytes && Base64Url.TryDecodeFromChars(cursor, id, out _) ? new Guid(id, bigEndian: true) : null;
    }
}
