using System.Security.Cryptography.X509Certificates;

namespace Aspire.Hosting.Dcp;

/// <summary>Where the orchestrator listens, and how it and its callers know each other.</summary>
internal sealed record DcpKubeconfig(Uri Server, string Token, X509Certificate2 Authority)
{
    /// <summary>Reads the file that the orchestrator wrote; null while it is not complete.</summary>
    internal static DcpKubeconfig? TryRead(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        // The file is YAML, but of a fixed and flat form.
        string? server = null, token = null, authority = null;
        foreach (var line in File.ReadAllLines(path).Select(l => l.Trim()))
        {
            server ??= After(line, "server:");
            token ??= After(line, "token:");
            authority ??= After(line, "certificate-authority-data:");
        }

        return server is null || token is null || authority is null
            ? null
            : new DcpKubeconfig(new Uri(server), token, X509CertificateLoader.LoadCertificate(PemOf(authority)));

        static string? After(string line, string key) => line.StartsWith(key, StringComparison.Ordinal) ? line[key.Length..].Trim().Trim('"') : null;
    }

    private static byte[] PemOf(string base64) => Convert.FromBase64String(base64);
}
