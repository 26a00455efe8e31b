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
    };

    private static readonly string[] KeptPrefixes = ["LC_", "XDG_", "DOTNET_", "NUGET_", "MSBUILD", "ASPIRE_", "DCP_", "OTEL_", "DOCKER_", "CONTAINER_", "CONTAINERS_", "FLURRTY_"];

    private static readonly string[] SecretWords = ["TOKEN", "SECRET", "PASSWORD", "APIKEY", "API_KEY"];

    /// <summary>Removes everything else. To be called when the configuration has been read: it keeps what it took from there.</summary>
    public static void Clear()
    {
        foreach (var name in Environment.GetEnvironmentVariables().Keys.Cast<string>().Where(static name => !IsKept(name)))
        {
            Environment.SetEnvironmentVariable(name, null);
        }
    }

    internal static bool IsKept(string name) =>
        Kept.Contains(name)
        || (Array.Exists(KeptPrefixes, prefix => name.StartsWith(prefix, StringComparison.Ordinal))
            && !Array.Exists(SecretWords, word => name.Contains(word, StringComparison.OrdinalIgnoreCase)));
}
