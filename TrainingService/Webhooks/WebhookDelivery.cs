namespace Flurrty.TrainingService.Webhooks;

/// <summary>A webhook as it arrived.</summary>
internal sealed record WebhookDelivery(string? Id, string? Timestamp, string? Signature, ReadOnlyMemory<byte> Body);

/// <summary>What comes of checking a webhook.</summary>
internal enum WebhookVerdict
{
    Genuine,
    Malformed,
    Stale,
    Forged,

    /// <summary>What is needed to check it cannot be had now.</summary>
    Unverifiable,
}
