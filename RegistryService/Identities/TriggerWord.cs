using System.Security.Cryptography;
using System.Text.RegularExpressions;

namespace Flurrty.RegistryService.Identities;

/// <summary>The word that calls the identity up in a prompt.</summary>
internal static partial class TriggerWord
{
    private const string Base32 = "abcdefghijklmnopqrstuvwxyz234567";
    private const int RandomLetters = 6;

    public static bool IsValid(string word) => Pattern().IsMatch(word);

    /// <summary>A token that no base model knows. It follows from the version id, so that a repeated request gives the same word.</summary>
    public static string For(Guid versionId)
    {
        Span<byte> id = stackalloc byte[16];
        versionId.TryWriteBytes(id, bigEndian: true, out _);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(id, hash);
        Span<char> letters = stackalloc char[RandomLetters];
        for (var i = 0; i < letters.Length; i++)
        {
            letters[i] = Base32[hash[i] % Base32.Length];
        }

        return string.Concat("flr", letters);
    }

    [GeneratedRegex(@"\A[A-Za-z][A-Za-z0-9_-]{1,31}\z", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Pattern();
}
