using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Flurrty.Sandbox.Replicate;

/// <summary>The forms in which Replicate writes ids, times and bodies.</summary>
internal static class Wire
{
    private const string IdAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
    private const string MessageAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    internal static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>26 lower-case letters and digits, shaped like <c>z4bc1tcp51rm00chtetae3jcx8</c>.</summary>
    public static string NewRunId() =>
        RandomNumberGenerator.GetString(IdAlphabet, 10) + "rm" + RandomNumberGenerator.GetString("0246", 1) + "0c" + RandomNumberGenerator.GetString(IdAlphabet, 11);

    public static string NewVersionId() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    /// <summary>The base64 form of a UUID's text, without characters that a URL would escape.</summary>
    public static string NewFileId() => Convert.ToBase64String(Encoding.ASCII.GetBytes(Guid.NewGuid().ToString()));

    public static string NewMessageId() => "msg_" + RandomNumberGenerator.GetString(MessageAlphabet, 27);

    public static string NewDeliveryToken() => RandomNumberGenerator.GetString(MessageAlphabet, 44);

    public static string NewWebhookSecret() => "whsec_" + Convert.ToBase64String(RandomNumberGenerator.GetBytes(24));

    /// <summary>Creation times have milliseconds.</summary>
    public static string Milliseconds(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    /// <summary>The other times have up to nine fractional digits, without trailing zeros.</summary>
    public static string Nanoseconds(DateTimeOffset at)
    {
        int extra = (int)(at.UtcTicks / 7 % 100);
        string digits = (at.UtcDateTime.ToString("fffffff", CultureInfo.InvariantCulture) + extra.ToString("00", CultureInfo.InvariantCulture)).TrimEnd('0');
        string seconds = at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture);
        return digits.Length == 0 ? seconds + "Z" : $"{seconds}.{digits}Z";
    }

    public static byte[] Bytes(JsonNode node, bool newline = false)
    {
        string text = node.ToJsonString(Json);
        return Encoding.UTF8.GetBytes(newline ? text + "\n" : text);
    }
}
