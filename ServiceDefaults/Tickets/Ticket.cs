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

internal sealed record TicketClaims(string Iss, TicketKind Kind, string Aud, Guid Acc, string Mth, string Pth, long Exp);
