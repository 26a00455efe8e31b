using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Options;

namespace Flurrty.Gateway.Proxies;

/// <summary>Configuration section <c>Proxies</c>: the load balancers before the gateway. With none configured nobody's forwarded headers are believed.</summary>
internal sealed class ProxiesOptions
{
    public const string Section = "Proxies";
    public const int MostHops = 10;

    /// <summary>Addresses and CIDR networks that requests of proxies come from: <c>10.1.2.3</c>, <c>10.1.0.0/16</c>, <c>fd00:1::/64</c>.</summary>
    public IReadOnlyList<string> Trusted { get; init; } = [];

    /// <summary>How many proxies a request passes one after the other, 1 to 10; so many entries of X-Forwarded-For are believed, from the right.</summary>
    public int Hops { get; init; } = 1;

    /// <summary>Reads an entry as a network; null when it is none, or when it is everybody.</summary>
    public static IPNetwork? NetworkOf(string entry)
    {
        var slash = entry.IndexOf('/', StringComparison.Ordinal);
        var text = slash < 0 ? entry : entry[..slash];
        if (!IPAddress.TryParse(text, out var address)
            || (address.AddressFamily == AddressFamily.InterNetwork && !string.Equals(address.ToString(), text, StringComparison.Ordinal)))
        {
            return null;
        }

        var bits = 8 * address.GetAddressBytes().Length;
        var length = bits;
        if (slash >= 0 && !int.TryParse(entry[(slash + 1)..], System.Globalization.NumberStyles.None, provider: null, out length))
        {
            return null;
        }

        if (address.IsIPv4MappedToIPv6)
        {
            (address, length, bits) = (address.MapToIPv4(), length - 96, 32);
        }

        // An address with bits beyond its network is a slip: 10.1.2.3/16 could mean either.
        return length >= 1 && length <= bits && IPNetwork.TryParse($"{address}/{length}", out var network) && network.BaseAddress.Equals(address) ? network : null;
    }
}

/// <summary>Finds everything that is wrong with the configured proxies at start.</summary>
internal sealed class ProxiesValidation : IValidateOptions<ProxiesOptions>
{
    public ValidateOptionsResult Validate(string? name, ProxiesOptions options)
    {
        var errors = new List<string>();
        for (var i = 0; i < options.Trusted.Count; i++)
        {
            if (ProxiesOptions.NetworkOf(options.Trusted[i]) is null)
            {
                errors.Add($"{ProxiesOptions.Section}:Trusted:{i} is neither an address nor a CIDR network such as 10.1.0.0/16; a network of everybody (/0) is not taken.");
            }
        }

        if (options.Hops is < 1 or > ProxiesOptions.MostHops)
        {
            errors.Add($"{ProxiesOptions.Section}:Hops is not between 1 and {ProxiesOptions.MostHops}.");
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }
}
