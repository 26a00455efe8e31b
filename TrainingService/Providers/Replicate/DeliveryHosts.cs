namespace Flurrty.TrainingService.Providers.Replicate;

/// <summary>Which places an artifact may be fetched from.</summary>
internal static class DeliveryHosts
{
    public static readonly string[] Default = ["replicate.delivery", "*.replicate.delivery", "api.replicate.com"];

    /// <summary>
    /// Https on the allow-list. Plain http only for the very host and port that the API itself is configured at, which is the Sandbox.
    /// </summary>
    public static bool Allows(ReplicateOptions options, Uri location)
    {
        if (!location.IsAbsoluteUri || location.UserInfo.Length > 0)
        {
            return false;
        }

        if (string.Equals(location.Scheme, options.BaseUrl.Scheme, StringComparison.Ordinal)
            && string.Equals(location.Host, options.BaseUrl.Host, StringComparison.OrdinalIgnoreCase)
            && location.Port == options.BaseUrl.Port)
        {
            return true;
        }

        return string.Equals(location.Scheme, Uri.UriSchemeHttps, StringComparison.Ordinal)
            && location.IsDefaultPort
            && location.HostNameType == UriHostNameType.Dns
            && options.DeliveryHosts.Any(host => Matches(host, location.Host));
    }

    private static bool Matches(string pattern, string host) => pattern.StartsWith("*.", StringComparison.Ordinal)
        ? host.EndsWith(pattern[1..], StringComparison.OrdinalIgnoreCase)
        : string.Equals(host, pattern, StringComparison.OrdinalIgnoreCase);
}
