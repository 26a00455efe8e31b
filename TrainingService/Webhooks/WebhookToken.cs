using System.Buffers.Text;
using System.Security.Cryptography;

namespace Flurrty.TrainingService.Webhooks;

/// <summary>The opaque part of a webhook's URL. Whoever knows it can deliver; only its hash is stored.</summary>
internal sealed class WebhookToken
{
    private const int Bytes = 32;
    private const int Characters = 43;

    private WebhookToken(string text, byte[] hash)
    {
        Text = text;
        Hash = hash;
    }

    public string Text { get; }

    public byte[] Hash { get; }

    public static WebhookToken Create()
    {
        var random = RandomNumberGenerator.GetBytes(Bytes);
        return new WebhookToken(Base64Url.EncodeToString(random), SHA256.HashData(random));
    }

    /// <summary>The token of a URL, or null when it cannot be one.</summary>
    public static WebhookToken? Parse(string text)
    {
        Span<byte> random = stackalloc byte[Bytes];
        return text.Length == Characters && Base64Url.IsValid(text) && Base64Url.TryDecodeFromChars(text, random, out var length) && length == Bytes
            ? new WebhookToken(text, SHA256.HashData(random))
            : null;
    }

    /// <summary>Never the token: this may end up in a log.</summary>
    public override string ToString() => "***";
}
