using Flurrty.ServiceDefaults.Problems;

namespace Flurrty.UploadService.Consents;

/// <summary>The problems that consents can have.</summary>
internal static class ConsentProblems
{
    public static ProblemException Missing(Guid photoSetId, Consent? earlier, string textVersion) => new(
        422,
        "consent_missing",
        "Nobody has agreed that these photos may be trained on.",
        (earlier is null ? "" : $"The agreement of this set is to version {earlier.TextVersion} of the text, which has changed. ")
            + $"Show the person the text of GET /api/photo-sets/consent-text, then send its version, {textVersion}, to POST /api/photo-sets/{photoSetId}/consent.");

    public static ProblemException TextOutdated(string textVersion) => new(
        422,
        "consent_text_outdated",
        "The agreement is not to the current text.",
        $"Show the person the text of GET /api/photo-sets/consent-text and send its version as `text_version`: {textVersion}.");
}
