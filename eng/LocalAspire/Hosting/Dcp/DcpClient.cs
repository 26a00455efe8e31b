using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Runtime.CompilerServices;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;

namespace Aspire.Hosting.Dcp;

/// <summary>Speaks the orchestrator's Kubernetes-like protocol.</summary>
internal sealed class DcpClient : IDisposable
{
    internal const string ApiVersion = "usvc-dev.developer.microsoft.com/v1";
    private const string Base = "apis/usvc-dev.developer.microsoft.com/v1/";
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);
    private readonly HttpClient _http;

    internal DcpClient(DcpKubeconfig kubeconfig)
    {
        // One HTTP/2 connection carries the watch, the log streams and the calls.
        _http = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            EnableMultipleHttp2Connections = true,
            SslOptions = new SslClientAuthenticationOptions
            {
                RemoteCertificateValidationCallback = (_, certificate, _, _) => IsSignedBy(certificate, kubeconfig.Authority),
            },
        })
        {
            BaseAddress = kubeconfig.Server,
            Timeout = Timeout.InfiniteTimeSpan,
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", kubeconfig.Token);
    }

    public void Dispose() => _http.Dispose();

    internal async Task<DcpService> CreateServiceAsync(DcpService service, CancellationToken cancellationToken)
    {
        using var response = await _http.PostAsJsonAsync(Base + "services", service, Json, cancellationToken);
        await EnsureAsync(response, $"create the service {service.Metadata.Name}", cancellationToken);
        return (await response.Content.ReadFromJsonAsync<DcpService>(Json, cancellationToken))!;
    }

    internal async Task<DcpService> GetServiceAsync(string name, CancellationToken cancellationToken)
    {
        using var response = await _http.GetAsync(Base + "services/" + name, cancellationToken);
        await EnsureAsync(response, $"read the service {name}", cancellationToken);
        return (await response.Content.ReadFromJsonAsync<DcpService>(Json, cancellationToken))!;
    }

    /// <summary>Creates an executable; false if one of that name is still there.</summary>
    internal async Task<bool> TryCreateExecutableAsync(DcpExecutable executable, CancellationToken cancellationToken)
    {
        using var response = await _http.PostAsJsonAsync(Base + "executables", executable, Json, cancellationToken);
        if (response.StatusCode == HttpStatusCode.Conflict)
        {
            return false;
        }

        await EnsureAsync(response, $"create the executable {executable.Metadata.Name}", cancellationToken);
        return true;
    }

    /// <summary>Reads an executable; null if there is none.</summary>
    internal async Task<DcpExecutable?> GetExecutableAsync(string name, CancellationToken cancellationToken)
    {
        using var response = await _http.GetAsync(Base + "executables/" + name, cancellationToken);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }

        await EnsureAsync(response, $"read the executable {name}", cancellationToken);
        return await response.Content.ReadFromJsonAsync<DcpExecutable>(Json, cancellationToken);
    }

    internal Task StopExecutableAsync(string name, CancellationToken cancellationToken) =>
        PatchAsync(Base + "executables/" + name, """{"spec":{"stop":true}}""", $"stop the executable {name}", cancellationToken);

    /// <summary>Asks for the end of an executable and of its object; false if there is none.</summary>
    internal async Task<bool> DeleteExecutableAsync(string name, CancellationToken cancellationToken)
    {
        using var response = await _http.DeleteAsync(Base + "executables/" + name, cancellationToken);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            return false;
        }

        await EnsureAsync(response, $"delete the executable {name}", cancellationToken);
        return true;
    }

    /// <summary>Ends every process and then the orchestrator itself.</summary>
    internal Task ShutDownAsync(CancellationToken cancellationToken) =>
        PatchAsync("admin/execution", """{"status":"Stopping","shutdownResourceCleanup":"Full"}""", "shut down", cancellationToken);

    /// <summary>All executables, and then each change until the server ends the stream.</summary>
    internal async IAsyncEnumerable<DcpWatchEvent> WatchExecutablesAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var response = await _http.GetAsync(Base + "executables?watch=true", HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        await EnsureAsync(response, "watch the executables", cancellationToken);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancellationToken));
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line.Length > 0)
            {
                yield return JsonSerializer.Deserialize<DcpWatchEvent>(line, Json)!;
            }
        }
    }

    /// <summary>A log of an executable: lines with a UTC time in front.</summary>
    internal async IAsyncEnumerable<string> ReadLogAsync(string name, string source, bool follow, int skip, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var query = $"log?source={source}&timestamps=true&skip={skip}&follow={(follow ? "true" : "false")}";
        using var response = await _http.GetAsync($"{Base}executables/{name}/{query}", HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            yield break;
        }

        await EnsureAsync(response, $"read the log of {name}", cancellationToken);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancellationToken));
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            yield return line;
        }
    }

    internal static string ProducerAnnotation(IEnumerable<DcpServiceProducer> producers) => JsonSerializer.Serialize(producers, Json);

    private static bool IsSignedBy(X509Certificate? certificate, X509Certificate2 authority)
    {
        if (certificate is not X509Certificate2 presented)
        {
            return false;
        }

        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        return chain.Build(presented);
    }

    private static async Task EnsureAsync(HttpResponseMessage response, string what, CancellationToken cancellationToken)
    {
        if (!response.IsSuccessStatusCode)
        {
            var body = await response.Content.ReadAsStringAsync(cancellationToken);
            throw new DistributedApplicationException($"The orchestrator refused to {what}: {(int)response.StatusCode} {body}");
        }
    }

    private async Task PatchAsync(string path, string json, string what, CancellationToken cancellationToken)
    {
        using var content = new StringContent(json, new MediaTypeHeaderValue("application/merge-patch+json"));
        using var response = await _http.PatchAsync(path, content, cancellationToken);
        if (response.StatusCode != HttpStatusCode.NotFound)
        {
            await EnsureAsync(response, what, cancellationToken);
        }
    }
}
