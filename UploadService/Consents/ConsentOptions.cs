using System.ComponentModel.DataAnnotations;
using System.Security.Cryptography;
using System.Text;

namespace Flurrty.UploadService.Consents;

/// <summary>Configuration section <c>Consents</c>: the text that a person agrees to before photos are trained on. A changed text needs a new version.</summary>
public sealed class ConsentOptions
{
    /// <summary>Version of the text. A set needs an agreement to this very version.</summary>
    [Required]
    [StringLength(Consent.LongestVersion, MinimumLength = 1)]
    public string TextVersion { get; set; } = "2026-11";

    /// <summary>The text. The default is the one that comes with the service.</summary>
    [Required]
    [StringLength(20_000, MinimumLength = 1)]
    public string Text { get; set; } = Embedded.Value;

    /// <summary>SHA-256 of the text, lower-case hex.</summary>
    internal string TextSha256 => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Text)));

    private static readonly Lazy<string> Embedded = new(static () =>
    {
        using var stream = typeof(ConsentOptions).Assembly.GetManifestResourceStream("ConsentText.txt") ?? throw new InvalidOperationException("The text of the consent is missing.");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    });
}
