using System.Security.Cryptography;
using System.Text.Json;

namespace Flurrty.RegistryService.Identities;

/// <summary>A request for an identity that has passed validation.</summary>
internal sealed record NewIdentity(string Name, Guid PhotoSetId, string Provider, string? TriggerWord, TrainingConfig Training, string? Customization)
{
    /// <summary>Equal for requests that mean the same, whatever their spacing, key order or nesting.</summary>
    public string Fingerprint() => Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(this)));
}
