using Flurrty.TrainingService.Webhooks;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Providers.Replicate;

/// <summary>Keeps the account's webhook secret and reads it again when a signature does not match, because it may have been rotated.</summary>
internal sealed class ReplicateWebhookSecret(ReplicateClient client, IOptions<ReplicateOptions> options, TimeProvider time) : IDisposable
{
    /// <summary>A stream of forged deliveries must not become a stream of requests to Replicate.</summary>
    private static readonly TimeSpan MinReadInterval = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _reading = new(1, 1);
    private string? _secret;
    private long? _readAgainAt;

    public async ValueTask<WebhookVerdict> VerifyAsync(WebhookDelivery delivery, CancellationToken cancellationToken)
    {
        try
        {
            var secret = _secret ?? await ReadAsync(known: null, cancellationToken);
            var verdict = Check(secret);
            if (verdict == WebhookVerdict.Forged && await ReadAsync(secret, cancellationToken) is { } newer
                && !string.Equals(newer, secret, StringComparison.Ordinal))
            {
                verdict = Check(newer);
            }

            return verdict;
        }
        catch (ProviderException)
        {
            return WebhookVerdict.Unverifiable;
        }

        WebhookVerdict Check(string? key) => key is null
            ? WebhookVerdict.Forged
            : StandardWebhook.Verify(delivery, key, time.GetUtcNow(), options.Value.WebhookTolerance);
    }

    public void Dispose() => _reading.Dispose();

    private async Task<string?> ReadAsync(string? known, CancellationToken cancellationToken)
    {
        await _reading.WaitAsync(cancellationToken);
        try
        {
            if (_secret is not null)
            {
                if (!string.Equals(_secret, known, StringComparison.Ordinal)
                    || (_readAgainAt is { } last && time.GetElapsedTime(last) < MinReadInterval))
                {
                    return _secret;
                }

                _readAgainAt = time.GetTimestamp();
            }

            _secret = await client.GetWebhookSecretAsync(cancellationToken);
            return _secret;
        }
        finally
        {
            _reading.Release();
        }
    }
}
