using System.Net.Http.Headers;

namespace Flurrty.RegistryService.Identities;

/// <summary>Fetches model files from the URLs that TrainingService gives out. The URLs are capabilities and appear nowhere.</summary>
internal sealed class ModelFiles(HttpClient store)
{
    public async Task<HttpResponseMessage> OpenAsync(Uri url, string? range, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        if (range is not null && RangeHeaderValue.TryParse(range, out var parsed))
        {
            request.Headers.Range = parsed;
        }

        return await store.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
    }
}
