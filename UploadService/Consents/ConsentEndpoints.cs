using System.ComponentModel;
using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Problems;
using Flurrty.ServiceDefaults.Tickets;
using Flurrty.UploadService.Persistence;
using Flurrty.UploadService.PhotoSets;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Flurrty.UploadService.Consents;

internal sealed record GiveConsent([property: Description("Version of the text that the person agreed to, as GET /api/photo-sets/consent-text gives it.")] string? TextVersion);

internal sealed record CurrentConsentText(string TextVersion, string Text, string TextSha256);

internal sealed record ConsentDetail(Guid Id, string TextVersion, string TextSha256, DateTimeOffset GivenAt, Guid AccountId, string? Address, bool Current)
{
    public static ConsentDetail Of(Consent consent, ConsentOptions options) => new(
        consent.Id, consent.TextVersion, consent.TextSha256, consent.GivenAt, consent.AccountId, consent.Address,
        string.Equals(consent.TextVersion, options.TextVersion, StringComparison.Ordinal));
}

/// <summary>Consents: the text, and a person's agreement to it. Without one nothing is trained.</summary>
internal static class ConsentEndpoints
{
    public static RouteGroupBuilder MapConsents(this IEndpointRouteBuilder routes)
    {
        var consents = routes.MapGroup("/api/photo-sets").WithTags("Consents");
        consents.MapGet("/consent-text", GetText).WithName("GetConsentText").WithSummary("Read the text to agree to")
            .WithDescription("The text that a person agrees to before a set's photos are trained on, and its version.");
        consents.MapPost("/{photoSetId:guid}/consent", GiveAsync).WithName("GiveConsent").WithSummary("Agree that a set may be trained on")
            .WithDescription("Records the agreement to the current text: its version, the time, your account and your address. Send the `text_version` that was shown to the person. "
                + "Without it no training of the set starts. A repetition gives the first record again (200).")
            .Produces<ConsentDetail>(StatusCodes.Status201Created).Produces<ConsentDetail>(StatusCodes.Status200OK)
            .ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status422UnprocessableEntity);
        consents.MapGet("/{photoSetId:guid}/consent", GetAsync).WithName("GetConsent").WithSummary("Look at a set's consent")
            .WithDescription("The latest agreement; `current` says whether it is to the text of today.").ProducesProblem(StatusCodes.Status404NotFound);
        return consents;
    }

    private static Ok<CurrentConsentText> GetText(IOptions<ConsentOptions> options) =>
        TypedResults.Ok(new CurrentConsentText(options.Value.TextVersion, options.Value.Text, options.Value.TextSha256));

    private static async Task<Results<Created<ConsentDetail>, Ok<ConsentDetail>>> GiveAsync(
        Guid photoSetId, GiveConsent body, HttpContext context, UploadsContext db, IOptions<ConsentOptions> options, TimeProvider time, CancellationToken cancellationToken)
    {
        var text = options.Value;
        var accountId = context.GetCaller().AccountId;
        return await db.AsAccountAsync<Results<Created<ConsentDetail>, Ok<ConsentDetail>>>(
            accountId,
            async token =>
            {
                if (!await PhotoSetLock.TakeAsync(db, photoSetId, token))
                {
                    throw PhotoProblems.SetNotFound();
                }

                if (!string.Equals(body.TextVersion, text.TextVersion, StringComparison.Ordinal))
                {
                    throw ConsentProblems.TextOutdated(text.TextVersion);
                }

                if (await SetConsents.FindCurrentAsync(db, photoSetId, text, token) is { } known)
                {
                    return TypedResults.Ok(ConsentDetail.Of(known, text));
                }

                var consent = new Consent
                {
                    Id = Guid.CreateVersion7(time.GetUtcNow()),
                    AccountId = accountId,
                    PhotoSetId = photoSetId,
                    TextVersion = text.TextVersion,
                    TextSha256 = text.TextSha256,
                    Address = ForwardedAddress.Of(context),
                };
                _ = db.Consents.Add(consent);
                _ = await db.SaveChangesAsync(token);
                return TypedResults.Created($"/api/photo-sets/{photoSetId}/consent", ConsentDetail.Of(consent, text));
            },
            cancellationToken);
    }

    private static async Task<Ok<ConsentDetail>> GetAsync(
        Guid photoSetId, HttpContext context, UploadsContext db, IOptions<ConsentOptions> options, CancellationToken cancellationToken) =>
        TypedResults.Ok(await db.AsAccountAsync(
            context.GetCaller().AccountId,
            async token =>
            {
                if (!await db.PhotoSets.AnyAsync(set => set.Id == photoSetId, token))
                {
                    throw PhotoProblems.SetNotFound();
                }

                return await SetConsents.FindLatestAsync(db, photoSetId, token) is { } consent
                    ? ConsentDetail.Of(consent, options.Value)
                    : throw new ProblemException(404, "consent_not_found", "Nobody has agreed for this set yet.", "Record the agreement with POST to this address.");
            },
            cancellationToken));
}
