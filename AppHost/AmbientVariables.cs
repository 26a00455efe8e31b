namespace Flurrty.AppHost;

/// <summary>
/// The orchestrator hands the environment of the AppHost on to every resource. So that no resource sees a secret that is not meant for it
/// (a provider's token in the shell, a parameter given as a variable), only what programs need to run stays in it.
/// </summary>
internal static class AmbientVariables
{
    private static readonly HashSet<string> Kept = new(StringComparer.Ordinal)
    {
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM", "TMPDIR", "PWD", "COLUMNS", "LINES", "CI", "NO_COLOR", "DISPLAY",
        "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
        "ASPNETCORE_ENVIRONMENT", "ASPNETCORE_URLS", "MALLOC_ARENA_MAX",
        // By name: others of these prefixes hold credentials, such as OTEL_EXPORTER_OTLP_HEADERS and DOCKER_AUTH_CONFIG.
        "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BLRP_SCHEDULE_DELAY", "OTEL_METRIC_EXPORT_INTERVAL",
        "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "DOCKER_API_VERSION",
        "CONTAINER_HOST", "CONTAINER_CONNECTION", "CONTAINER_SSHKEY", "CONTAINERS_CONF", "CONTAINERS_CONF_OVERRIDE", "CONTAINERS_STORAGE_CONF", "CONTAINERS_REGISTRIES_CONF",
    };

    private static readonly string[] KeptPrefixes = ["LC_", "XDG_", "DOTNET_", "NUGET_", "MSBUILD", "ASPIRE_", "DCP_", "FLURRTY_"];

    private static readonly string[] Proxies = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];

    private static readonly string[] Local = ["localhost", "127.0.0.1", "::1"];

    private static readonly string[] SecretWords = ["TOKEN", "SECRET", "PASSWORD", "APIKEY", "API_KEY"];

    /// <summary>Removes everything else, and lets no call to this machine go by a proxy. To be called when the configuration has been read: it keeps what it took from there.</summary>
    public static void Clear()
    {
        foreach (var name in Environment.GetEnvironmentVariables().Keys.Cast<string>().Where(static name => !IsKept(name)))
        {
            Environment.SetEnvironmentVariable(name, null);
        }

        if (Array.Exists(Proxies, static name => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(name))))
        {
            // Programs read one or the other, so both say the same.
            var direct = DirectHosts(Environment.GetEnvironmentVariable("no_proxy") ?? Environment.GetEnvironmentVariable("NO_PROXY"));
            Environment.SetEnvironmentVariable("no_proxy", direct);
            Environment.SetEnvironmentVariable("NO_PROXY", direct);
        }
    }

    internal static string DirectHosts(string? given) =>
        string.Join(',', (given ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Union(Local, StringComparer.OrdinalIgnoreCase));

    internal static bool IsKept(string name) =>
        Kept.Contains(name)
        || (Array.Exists(KeptPrefixes, prefix => name.StartsWith(prefix, StringComparison.Ordinal))
            && !Array.Exists(SecretWords, word => name.Contains(word, StringComparison.OrdinalIgnoreCase)));
}
