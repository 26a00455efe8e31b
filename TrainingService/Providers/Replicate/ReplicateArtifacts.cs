using System.Net.Http.Headers;
using Flurrty.TrainingService.Jobs;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Providers.Replicate;

/// <summary>Fetches what runs have made from where Replicate keeps it.</summary>
internal sealed class ReplicateArtifacts(IHttpClientFactory clients, ReplicateTransport transport, IOptions<ReplicateOptions> options)
{
    /// <summary>Artifacts; knows no token.</summary>
    public const string DeliveryClient = "replicate-delivery";

    private const int MaxRedirects = 4;

    private readonly ReplicateOptions _options = options.Value;

    /// <summary>Opens an artifact, following redirects only to places that are allowed too. The token is sent to the API's own host only.</summary>
    public async Task<HttpResponseMessage> OpenAsync(Uri location, CancellationToken cancellationToken)
    {
        using var client = clients.CreateClient(DeliveryClient);
        var next = location;
        for (var hop = 0; hop < MaxRedirects; hop++)
        {
            if (!DeliveryHosts.Allows(_options, next))
            {
                throw new ProviderException(ErrorCategory.Validation, $"The artifact lies on a host that is not allowed: {next.Scheme}://{next.Authority}.");
            }

            using var request = new HttpRequestMessage(HttpMethod.Get, next);
            if (IsApi(next))
            {
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _options.ApiToken);
            }

            HttpResponseMessage response;
            try
            {
                response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            }
            catch (HttpRequestException unreachable)
            {
                throw ReplicateErrors.FromNetwork(unreachable);
            }

            if (response.IsSuccessStatusCode)
            {
                return response;
            }

            using (response)
            {
                if ((int)response.StatusCode is >= 300 and < 400 && response.Headers.Location is { } target)
                {
                    next = new Uri(next, target);
                    continue;
                }

                throw ReplicateErrors.FromAnswer(response.StatusCode, transport.RetryAfter(response), default);
            }
        }

        throw new ProviderException(ErrorCategory.ServiceError, "The artifact redirects too often.");
    }

    private bool IsApi(Uri location) =>
        string.Equals(location.Scheme, transport.BaseUrl.Scheme, StringComparison.Ordinal)
        && string.Equals(location.Authority, transport.BaseUrl.Authority, StringComparison.OrdinalIgnoreCase);
}
