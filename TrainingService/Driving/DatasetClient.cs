using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using Flurrty.ServiceDefaults.Tickets;
using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Providers;

namespace Flurrty.TrainingService.Driving;

/// <summary>A dataset as UploadService tells of it. The URL is a secret while it lives.</summary>
internal sealed record Dataset(Uri Url, long Bytes, string Sha256, int PhotoCount, string TriggerWord);

/// <summary>Asks UploadService for datasets, and reads them from where it says.</summary>
internal sealed class DatasetClient(IHttpClientFactory clients)
{
    public const string UploadsClient = "uploads";
    public const string StoreClient = "datasets";

    /// <summary>The dataset of a job; null and a code when there is none.</summary>
    public async Task<(Dataset? Dataset, string? Refusal)> GetAsync(Guid accountId, Guid jobId, CancellationToken cancellationToken)
    {
        try
        {
            using var client = clients.CreateClient(UploadsClient);
            using var request = new HttpRequestMessage(HttpMethod.Get, $"internal/datasets/{jobId}").ForAccount(accountId);
            using var response = await client.SendAsync(request, cancellationToken);
            await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
            switch (response.StatusCode)
            {
                case HttpStatusCode.OK:
                    return (await JsonSerializer.DeserializeAsync(body, DatasetJson.Default.Dataset, cancellationToken), null);
                case HttpStatusCode.NotFound or HttpStatusCode.Conflict or HttpStatusCode.Gone or HttpStatusCode.UnprocessableEntity:
                    var problem = await JsonSerializer.DeserializeAsync(body, DatasetJson.Default.DatasetProblem, cancellationToken);
                    return (null, problem?.Code ?? "dataset_not_found");
                default:
                    throw new ProviderException(
                        ErrorCategory.ServiceError, $"The dataset could not be asked for: {(int)response.StatusCode}.", (int)response.StatusCode);
            }
        }
        catch (JsonException unreadable)
        {
            throw new ProviderException(ErrorCategory.ServiceError, "The answer about the dataset could not be read.", inner: unreadable);
        }
        catch (Exception broken) when (broken is HttpRequestException or IOException
            || (broken is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw new ProviderException(ErrorCategory.Network, "The dataset could not be asked for.", inner: broken);
        }
    }

    /// <summary>The dataset as something that a provider's client can read as often as it needs.</summary>
    public DatasetSource ToSource(Guid jobId, Dataset dataset) => new(
        token => OpenAsync(dataset.Url, token),
        dataset.Bytes,
        dataset.Sha256,
        $"{jobId:N}.zip");

    private async Task<Stream> OpenAsync(Uri location, CancellationToken cancellationToken)
    {
        var client = clients.CreateClient(StoreClient);
        HttpResponseMessage? response = null;
        try
        {
            response = await client.GetAsync(location, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            if (!response.IsSuccessStatusCode)
            {
                throw new ProviderException(ErrorCategory.Network, $"The dataset could not be read from the store: {(int)response.StatusCode}.");
            }

            return await response.Content.ReadAsStreamAsync(cancellationToken);
        }
        catch (HttpRequestException broken)
        {
            response?.Dispose();
            throw new ProviderException(ErrorCategory.Network, "The dataset could not be read from the store.", inner: broken);
        }
        catch
        {
            response?.Dispose();
            throw;
        }
    }
}

internal sealed record DatasetProblem(string? Code);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(Dataset))]
[JsonSerializable(typeof(DatasetProblem))]
internal sealed partial class DatasetJson : JsonSerializerContext;
