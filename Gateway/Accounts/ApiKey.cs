using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace Flurrty.Gateway.Accounts;

/// <summary>The form of an API key: <c>flr_</c> and 32 letters and digits. Only its hash is ever kept.</summary>
internal static class ApiKey
{
    private const string Prefix = "flr_";
    private const int Letters = 32;
    private static readonly SearchValues<char> Base62 = SearchValues.Create("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    public static bool IsWellFormed(string key) =>
        key.Length == Prefix.Length + Letters
        && key.StartsWith(Prefix, StringComparison.Ordinal)
        && !key.AsSpan(Prefix.Length).ContainsAnyExcept(Base62);

    public static byte[] Hash(string key) => SHA256.HashData(Encoding.ASCII.GetBytes(key));
}
