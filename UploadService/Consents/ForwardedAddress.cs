using System.Net;
using Flurrty.ServiceDefaults.Tickets;

namespace Flurrty.UploadService.Consents;

/// <summary>The address of a caller as the gateway saw it.</summary>
internal static class ForwardedAddress
{
    private const string Header = "X-Forwarded-For";

    /// <summary>The address, or null when the request did not come by the gateway or names none. The gateway sets exactly one and drops what the caller sent.</summary>
    public static string? Of(HttpContext context)
    {
        if (!string.Equals(context.GetCaller().Issuer, TicketAuthentication.Gateway, StringComparison.Ordinal)
            || context.Request.Headers[Header] is not [{ } value] || !IPAddress.TryParse(value, out var address))
        {
            return null;
        }

        // An interface's name is ours and says nothing of the caller.
        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : new IPAddress(address.GetAddressBytes());
        return plain.ToString();
    }
}
