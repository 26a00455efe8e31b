namespace Flurrty.UploadService.Consents;

/// <summary>
/// A person's agreement that the photos of a set may be trained on. It outlives its set when a training was started under it.
/// </summary>
internal sealed class Consent
{
    public const int LongestVersion = 50;
    public const int LongestAddress = 45;

    public required Guid Id { get; init; }

    /// <summary>The account whose caller agreed.</summary>
    public required Guid AccountId { get; init; }

    /// <summary>The set that it is for; it may be gone by now.</summary>
    public required Guid PhotoSetId { get; init; }

    /// <summary>Version of the text that was agreed to.</summary>
    public required string TextVersion { get; init; }

    /// <summary>SHA-256 of that text, lower-case hex: a version whose text was changed later shows.</summary>
    public required string TextSha256 { get; init; }

    /// <summary>The caller's address as the gateway saw it; null when it did not say.</summary>
    public string? Address { get; init; }

    /// <summary>When, by the database's clock.</summary>
    public DateTimeOffset GivenAt { get; init; }
}
