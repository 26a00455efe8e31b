using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Options;

namespace Flurrty.ServiceDefaults.Tickets;

/// <summary>Verifies tickets with the public keys of their issuers.</summary>
internal sealed class TicketVerifier : IDisposable
{
    private const int LongestTicket = 1024;

    private readonly Dictionary<string, ECDsa> _keys = new(StringComparer.Ordinal);
    private readonly TimeProvider _time;
    private readonly string _audience;

    public TicketVerifier(IOptions<TicketOptions> options, TimeProvider time)
    {
        _time = time;
        _audience = options.Value.Audience;
        foreach (var (issuer, key) in options.Value.Issuers)
        {
            var ecdsa = ECDsa.Create();
            ecdsa.ImportSubjectPublicKeyInfo(Convert.FromBase64String(key), out _);
            _keys[issuer] = ecdsa;
        }
    }

    /// <summary>The caller, or null when the ticket is not valid for this service, method and path now.</summary>
    public Caller? Verify(string ticket, string method, string path)
    {
        if (ticket.Length > LongestTicket || ticket.Split('.') is not [var payloadText, var signatureText])
        {
            return null;
        }

        try
        {
            var payload = Base64Url.DecodeFromChars(payloadText);
            var claims = JsonSerializer.Deserialize(payload, TicketJson.Default.TicketClaims);
            return claims is not null
                && _keys.TryGetValue(claims.Iss, out var key)
                && key.VerifyData(payload, Base64Url.DecodeFromChars(signatureText), HashAlgorithmName.SHA256)
                && MayIssue(claims.Iss, claims.Kind)
                && string.Equals(claims.Aud, _audience, StringComparison.Ordinal)
                && string.Equals(claims.Req, TicketClaims.RequestOf(method, path), StringComparison.Ordinal)
                && claims.Exp > _time.GetUtcNow().ToUnixTimeSeconds()
                    ? new Caller(claims.Acc, claims.Kind, claims.Iss)
                    : null;
        }
        catch (Exception exception) when (exception is FormatException or JsonException or CryptographicException)
        {
            return null;
        }
    }

    public void Dispose()
    {
        foreach (var key in _keys.Values)
        {
            key.Dispose();
        }
    }

    // Only the gateway lets callers in; a service's key speaks for services alone.
    private static bool MayIssue(string issuer, TicketKind kind) =>
        string.Equals(issuer, TicketAuthentication.Gateway, StringComparison.Ordinal) ? kind is not TicketKind.Service : kind is TicketKind.Service;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(TicketClaims))]
internal sealed partial class TicketJson : JsonSerializerContext;
