using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Tickets;
using Flurrty.UploadService.Persistence;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Flurrty.UploadService.Quotas;

internal sealed record UsageOf(long Used, long Pending, long Limit);

internal sealed record UsageDetail(UsageOf Files, UsageOf Bytes);

/// <summary>Usage: what the account keeps of what it may.</summary>
internal static class UsageEndpoints
{
    public static RouteHandlerBuilder MapUsage(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/api/photo-sets/usage", GetAsync).WithTags("Photo sets").WithName("GetUsage").WithSummary("See how much you keep")
            .WithDescription("Photos and bytes that your account keeps, those of uploads that are under way, and the limits. Beyond a limit uploads are refused with `quota_exceeded`.");

    private static async Task<Ok<UsageDetail>> GetAsync(HttpContext context, UploadsContext db, IOptions<QuotaOptions> options, CancellationToken cancellationToken)
    {
        var usage = await db.AsAccountAsync(context.GetCaller().AccountId, async token => await AccountUsage.ReadAsync(db, token), cancellationToken);
        return TypedResults.Ok(new UsageDetail(
            new UsageOf(usage.Files, usage.PendingFiles, options.Value.MaxFiles), new UsageOf(usage.Bytes, usage.PendingBytes, options.Value.MaxBytes)));
    }
}
