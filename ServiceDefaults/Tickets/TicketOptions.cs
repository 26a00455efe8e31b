using System.Security.Cryptography;
using Microsoft.Extensions.Options;

namespace Flurrty.ServiceDefaults.Tickets;

/// <summary>Configuration section <c>Tickets</c>. Without keys every request is refused.</summary>
public sealed class TicketOptions
{
    /// <summary>This service's name, which the tickets of its callers must bear; also the issuer of the tickets it signs.</summary>
    public string Audience { get; set; } = "";

    /// <summary>Base64 of the PKCS#8 P-256 key; only where tickets are signed.</summary>
    public string? SigningKey { get; set; }

    /// <summary>Base64 of the SubjectPublicKeyInfo of each issuer.</summary>
    public IDictionary<string, string> Issuers { get; } = new Dictionary<string, string>(StringComparer.Ordinal);
}

internal sealed class TicketOptionsValidation : IValidateOptions<TicketOptions>
{
    public ValidateOptionsResult Validate(string? name, TicketOptions options)
    {
        var errors = new List<string>();
        if (options.Audience.Length == 0)
        {
            errors.Add("Tickets:Audience is missing.");
        }

        if (options.SigningKey is { Length: > 0 } key && !Importable(key, static (ecdsa, bytes) => ecdsa.ImportPkcs8PrivateKey(bytes, out _)))
        {
            errors.Add("Tickets:SigningKey is not the base64 of a PKCS#8 P-256 key.");
        }

        errors.AddRange(options.Issuers
            .Where(static issuer => !Importable(issuer.Value, static (ecdsa, bytes) => ecdsa.ImportSubjectPublicKeyInfo(bytes, out _)))
            .Select(static issuer => $"Tickets:Issuers:{issuer.Key} is not the base64 of a P-256 SubjectPublicKeyInfo."));
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }

    private static bool Importable(string base64, Action<ECDsa, byte[]> import)
    {
        try
        {
            using var ecdsa = ECDsa.Create();
            import(ecdsa, Convert.FromBase64String(base64));
            return true;
        }
        catch (Exception exception) when (exception is FormatException or CryptographicException)
        {
            return false;
        }
    }
}
