using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Flurrty.ServiceDefaults.Tickets;

/// <summary>Who a ticket speaks for.</summary>
public enum TicketKind
{
    /// <summary>An account's caller, let in by the gateway.</summary>
    User,

    /// <summary>A provider's webhook; speaks for no account.</summary>
    Webhook,

    /// <summary>A worker of our own; speaks for no account.</summary>
    Worker,

    /// <summary>Another service, on behalf of an account.</summary>
    Service,

    /// <summary>A person who runs the installation, let in by the gateway; sees no account's things.</summary>
    Operator,
}

/// <summary>The caller of a request, as its ticket says.</summary>
/// <param name="AccountId">The account, or the operator's own id; empty for webhooks and workers.</param>
/// <param name="Kind">Who is calling.</param>
/// <param name="Issuer">The service that signed the ticket.</param>
public sealed record Caller(Guid AccountId, TicketKind Kind, string Issuer);

/// <param name="Iss">The issuer.</param>
/// <param name="Kind">Who is calling.</param>
/// <param name="Aud">The service that may take it.</param>
/// <param name="Acc">The account.</param>
/// <param name="Req">The request that it is for: <see cref="RequestOf"/>.</param>
/// <param name="Exp">When it ends, in Unix seconds.</param>
internal sealed record TicketClaims(string Iss, TicketKind Kind, string Aud, Guid Acc, string Req, long Exp)
{
    /// <summary>Base64url of the SHA-256 of method and path: a ticket is as short for a long path as for any other.</summary>
    public static string RequestOf(string method, string path) =>
        Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes($"{method.ToUpperInvariant()} {path}")));
}
