using Flurrty.RegistryService.Versions;

namespace Flurrty.RegistryService.Identities;

/// <summary>Somebody that pictures can be made of.</summary>
internal sealed class Identity
{
    public Guid Id { get; init; }

    public Guid AccountId { get; init; }

    public required string Name { get; init; }

    public Guid PhotoSetId { get; init; }

    /// <summary>The JSON object that the caller keeps with the identity, as it came.</summary>
    public string? Customization { get; init; }

    public Guid ActiveVersionId { get; init; }

    public string? IdempotencyKey { get; init; }

    public string? IdempotencyFingerprint { get; init; }

    /// <summary>Counts every change that a reader can see; the ETag is made from it.</summary>
    public long Revision { get; private set; } = 1;

    public DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset UpdatedAt { get; private set; }

    public List<IdentityVersion> Versions { get; } = [];

    public IdentityVersion ActiveVersion => Versions.Single(version => version.Id == ActiveVersionId);

    public void Touch(DateTimeOffset now)
    {
        Revision++;
        UpdatedAt = now;
    }
}
