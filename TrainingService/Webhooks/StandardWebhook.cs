using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Flurrty.TrainingService.Webhooks;

/// <summary>Signatures in the form of Standard Webhooks: HMAC-SHA256 over id, timestamp and the raw body.</summary>
internal static class StandardWebhook
{
    private const string SecretPrefix = "whsec_";
    private const string SignaturePrefix = "v1,";
    private const int MaxHeaderLength = 4096;

    public static WebhookVerdict Verify(WebhookDelivery delivery, string secret, DateTimeOffset now, TimeSpan tolerance)
    {
        if (delivery is not
            {
                Id: { Length: > 0 and <= 256 } id,
                Timestamp: { Length: > 0 and <= 20 } timestamp,
                Signature: { Length: > 0 and <= MaxHeaderLength } signatures,
            }
            || !long.TryParse(timestamp, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            || seconds > 253402300799)
        {
            return WebhookVerdict.Malformed;
        }

        Span<byte> expected = stackalloc byte[HMACSHA256.HashSizeInBytes];
        using (var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, Key(secret)))
        {
            hmac.AppendData(Encoding.UTF8.GetBytes($"{id}.{timestamp}."));
            hmac.AppendData(delivery.Body.Span);
            hmac.GetHashAndReset(expected);
        }

        Span<byte> given = stackalloc byte[HMACSHA256.HashSizeInBytes];
        var genuine = false;
        foreach (var part in signatures.AsSpan().Split(' '))
        {
            var signature = signatures.AsSpan(part);
            genuine |= signature.StartsWith(SignaturePrefix, StringComparison.Ordinal)
                && Convert.TryFromBase64Chars(signature[SignaturePrefix.Length..], given, out var length)
                && length == expected.Length
                && CryptographicOperations.FixedTimeEquals(given, expected);
        }

        if (!genuine)
        {
            return WebhookVerdict.Forged;
        }

        return (now - DateTimeOffset.FromUnixTimeSeconds(seconds)).Duration() > tolerance ? WebhookVerdict.Stale : WebhookVerdict.Genuine;
    }

    private static byte[] Key(string secret)
    {
        var text = secret.StartsWith(SecretPrefix, StringComparison.Ordinal) ? secret[SecretPrefix.Length..] : secret;
        var key = new byte[text.Length];
        return Convert.TryFromBase64String(text, key, out var length) ? key[..length] : Encoding.UTF8.GetBytes(text);
    }
}
