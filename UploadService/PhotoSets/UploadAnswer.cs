using Flurrty.ServiceDefaults.Problems;

namespace Flurrty.UploadService.PhotoSets;

/// <summary>The answer to photos that were sent, the same for every way in.</summary>
internal static class UploadAnswer
{
    /// <summary>The accepted and the rejected ones; the first one's problem when none was accepted.</summary>
    public static IResult Of(Guid photoSetId, IReadOnlyList<IntakeOutcome> outcomes)
    {
        var accepted = outcomes.Where(static outcome => outcome.Photo is not null).Select(static outcome => PhotoDetail.Of(outcome.Photo!)).DistinctBy(static photo => photo.Id).ToList();
        var rejected = outcomes.Where(static outcome => outcome.Problem is not null).ToList();
        var list = rejected.Select(static outcome => new RejectedPhoto(outcome.FileName, outcome.Problem!.Code, outcome.Problem.Title, outcome.Problem.Detail)).ToList();
        if (accepted.Count > 0)
        {
            return TypedResults.Created($"/api/photo-sets/{photoSetId}", new UploadedPhotos(accepted, list));
        }

        if (rejected is [{ Problem: { } first }, ..])
        {
            return Problem.Result(first.Status, first.Code, first.Title, first.Detail, new Dictionary<string, object?>(StringComparer.Ordinal) { ["rejected"] = list });
        }

        throw new ProblemException(422, "photos_missing", "The form has no photos.", "Put each photo as a file into the field `photos`.");
    }
}
