using Flurrty.ServiceDefaults.Storage;
using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Models;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Publishing;

/// <summary>Our own copy of every model, in the models bucket.</summary>
internal sealed class ModelStore(ObjectStore store, IOptions<ModelOptions> options)
{
    private const string ContentType = "application/octet-stream";

    /// <summary>Stores a job's model. A repeat stores the same object again.</summary>
    public async Task<string> StoreAsync(Job job, FetchedModel model, CancellationToken cancellationToken)
    {
        var key = $"{job.AccountId:N}/{job.Id:N}.safetensors";
        await store.PutAsync(key, model.File, model.File.Length, ContentType, cancellationToken);
        return key;
    }

    /// <summary>A URL that reads the model for a short while; a secret while it lives.</summary>
    public Uri Presign(string key) => store.PresignGet(key, options.Value.UrlLifetime);
}
