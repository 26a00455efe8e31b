namespace Flurrty.TrainingService.Webhooks;

/// <summary>A webhook as it arrived.</summary>
internal sealed record WebhookDelivery(string? Id, string? Timestamp, string? Signature, ReadOnlyMemory<byte> Body);

/// <summary>The result of checking a webhook.</summary>
internal enum WebhookVerdict
{
    Genuine,
    Malformed,
    Stale,
    Forged,

    /// <summary>What is needed to check it is not available now.</summary>
    Unverifiable,
}
