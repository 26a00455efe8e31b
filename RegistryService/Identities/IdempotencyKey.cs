using System.Security.Cryptography;
using System.Text;

namespace Flurrty.RegistryService.Identities;

/// <summary>The caller's name for one attempt to create something.</summary>
internal static class IdempotencyKey
{
    public const string Header = "Idempotency-Key";
    public const int MaxLength = 255;

    public static bool IsValid(string key) => key.Length is > 0 and <= MaxLength && key.All(letter => letter is >= '!' and <= '~' or ' ');

    /// <summary>
    /// The version id that belongs to a key and a payload, so that a request repeated after a crash finds the seal that the first one made.
    /// </summary>
    public static Guid VersionId(Guid accountId, string key, string fingerprint)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{accountId:N}\n{key}\n{fingerprint}"), hash);

        // Version 8 of RFC 9562: bits of our own choice.
        hash[6] = (byte)((hash[6] & 0x0F) | 0x80);
        hash[8] = (byte)((hash[8] & 0x3F) | 0x80);
        return new Guid(hash[..16], bigEndian: true);
    }
}
