using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Options;

namespace Flurrty.ServiceDefaults.Tickets;

/// <summary>Signs tickets: 60 seconds long, for one audience, method and path. ECDSA P-256 over SHA-256.</summary>
public sealed class TicketSigner : IDisposable
{
    /// <summary>How long a ticket is valid.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(60);

    private readonly ECDsa _key = ECDsa.Create();
    private readonly TimeProvider _time;
    private readonly string _issuer;

    /// <summary>Imports the key of <see cref="TicketOptions.SigningKey"/>.</summary>
    /// <param name="options">Configuration.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="InvalidOperationException">No signing key is configured.</exception>
    public TicketSigner(IOptions<TicketOptions> options, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(options);
        _time = time;
        _issuer = options.Value.Audience;
        _key.ImportPkcs8PrivateKey(
            Convert.FromBase64String(options.Value.SigningKey ?? throw new InvalidOperationException("Tickets:SigningKey is missing.")), out _);
    }

    /// <summary>Signs a ticket.</summary>
    /// <param name="kind">Who is calling.</param>
    /// <param name="audience">The service that may take it.</param>
    /// <param name="accountId">The account, or the operator's own id; empty for webhooks and workers.</param>
    /// <param name="method">HTTP method of the request.</param>
    /// <param name="path">Path of the request as the service sees it, unescaped, without query.</param>
    /// <returns>The value of the header <see cref="TicketAuthentication.HeaderName"/>.</returns>
    public string Sign(TicketKind kind, string audience, Guid accountId, string method, string path)
    {
        var claims = new TicketClaims(_issuer, kind, audience, accountId, TicketClaims.RequestOf(method, path), (_time.GetUtcNow() + Lifetime).ToUnixTimeSeconds());
        var payload = JsonSerializer.SerializeToUtf8Bytes(claims, TicketJson.Default.TicketClaims);
        var signature = _key.SignData(payload, HashAlgorithmName.SHA256);
        return $"{Base64Url.EncodeToString(payload)}.{Base64Url.EncodeToString(signature)}";
    }

    /// <inheritdoc/>
    public void Dispose() => _key.Dispose();
}
