using System.Net;
using System.Net.Http.Headers;
using System.Net.Mime;
using System.Runtime.CompilerServices;
using Flurrty.TrainingService.Jobs;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Providers.Replicate;

/// <summary>Replicate's HTTP API, as much of it as a training needs. Only requests that are safe to repeat are repeated.</summary>
internal sealed class ReplicateClient(IHttpClientFactory clients, ReplicateTransport transport, IOptions<ReplicateOptions> options)
{
    /// <summary>The one request that may not: a connection of its own each time, so that the handler has nothing to repeat on.</summary>
    public const string SubmitClient = "replicate-submit";

    public Task<ReplicateAccount> GetAccountAsync(CancellationToken cancellationToken) =>
        transport.ReadAsync("account", "the account", ReplicateJson.Default.ReplicateAccount, cancellationToken);

    public Task<ReplicateModel> GetModelAsync(string owner, string name, CancellationToken cancellationToken) =>
        transport.ReadAsync($"models/{Escape(owner)}/{Escape(name)}", "a model", ReplicateJson.Default.ReplicateModel, cancellationToken);

    public Task<ReplicateTraining> GetTrainingAsync(string id, CancellationToken cancellationToken) =>
        transport.ReadAsync($"trainings/{Escape(id)}", "a training", ReplicateJson.Default.ReplicateTraining, cancellationToken);

    public async Task<string> GetWebhookSecretAsync(CancellationToken cancellationToken)
    {
        var secret = await transport.ReadAsync("webhooks/default/secret", "the webhook secret", ReplicateJson.Default.ReplicateSecret, cancellationToken);
        return secret.Key ?? throw ReplicateErrors.Unreadable("the webhook secret");
    }

    /// <summary>Creates a private model. One that exists already is as good.</summary>
    public async Task CreateModelAsync(ReplicateModelRequest model, CancellationToken cancellationToken)
    {
        using var request = transport.NewRequest(HttpMethod.Post, "models");
        request.Content = ReplicateTransport.JsonBody(model, ReplicateJson.Default.ReplicateModelRequest);
        try
        {
            await transport.SendOnceAsync(request, cancellationToken);
        }
        catch (ProviderException refused) when (refused.Category is ErrorCategory.Validation)
        {
            // Two attempts may create the same destination at once; the loser is refused.
            try
            {
                await GetModelAsync(model.Owner, model.Name, cancellationToken);
            }
            catch (ProviderException missing) when (missing.HttpStatus == (int)HttpStatusCode.NotFound)
            {
                throw refused;
            }
        }
    }

    /// <summary>Uploads a file under a name of its own. A repeat only makes one more file, which expires.</summary>
    public Task<ReplicateFile> UploadFileAsync(DatasetSource source, Guid installation, CancellationToken cancellationToken) =>
        transport.RepeatAsync(
            async token =>
            {
                using var timeout = ReplicateTransport.TimeoutAfter(options.Value.UploadTimeout, token);
                await using var content = await source.OpenAsync(timeout.Token);
                using var request = transport.NewRequest(HttpMethod.Post, "files");
                using var part = new KnownLengthContent(content, source.Bytes);
                part.Headers.ContentType = new MediaTypeHeaderValue(MediaTypeNames.Application.Zip);
                using var metadata = ReplicateTransport.JsonBody(new ReplicateFileMetadata(installation), ReplicateJson.Default.ReplicateFileMetadata);
                using var form = new MultipartFormDataContent { { part, "content", source.FileName }, { metadata, "metadata" } };
                request.Content = form;
                return await transport.SendOnceAsync(request, "a file", ReplicateJson.Default.ReplicateFile, timeout.Token, token);
            },
            cancellationToken);

    /// <summary>Deletes a file; one that is gone already is as good.</summary>
    public async Task DeleteFileAsync(string id, CancellationToken cancellationToken)
    {
        try
        {
            await transport.RepeatAsync(
                async token =>
                {
                    using var request = transport.NewRequest(HttpMethod.Delete, $"files/{Escape(id)}");
                    return await transport.SendOnceAsync(request, token);
                },
                cancellationToken);
        }
        catch (ProviderException gone) when (gone.HttpStatus == (int)HttpStatusCode.NotFound)
        {
        }
    }

    public async Task CancelTrainingAsync(string id, CancellationToken cancellationToken)
    {
        using var request = transport.NewRequest(HttpMethod.Post, $"trainings/{Escape(id)}/cancel");
        await transport.SendOnceAsync(request, cancellationToken);
    }

    /// <summary>All trainings, newest first, page by page.</summary>
    public async IAsyncEnumerable<ReplicateTraining> ListTrainingsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var query = string.Empty;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        while (seen.Add(query))
        {
            var page = await transport.ReadAsync("trainings" + query, "the trainings", ReplicateJson.Default.ReplicateTrainingPage, cancellationToken);
            foreach (var training in page.Results ?? [])
            {
                yield return training;
            }

            if (string.IsNullOrEmpty(page.Next) || !Uri.TryCreate(transport.BaseUrl, page.Next, out var next))
            {
                yield break;
            }

            // Only the cursor is taken from the link: the token goes nowhere but to the configured host.
            query = next.Query;
        }
    }

    /// <summary>The one unsafe request: sent once, on a connection of its own.</summary>
    public async Task<SubmissionOutcome> CreateTrainingAsync(
        string trainer,
        string version,
        ReplicateTrainingRequest body,
        TimeSpan timeout,
        CancellationToken cancellationToken)
    {
        var parts = trainer.Split('/');
        using var request = transport.NewRequest(HttpMethod.Post, $"models/{Escape(parts[0])}/{Escape(parts[1])}/versions/{Escape(version)}/trainings");
        request.Content = ReplicateTransport.JsonBody(body, ReplicateJson.Default.ReplicateTrainingRequest);
        using var limit = ReplicateTransport.TimeoutAfter(timeout, cancellationToken);
        try
        {
            using var client = clients.CreateClient(SubmitClient);
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            using var answer = await transport.ReadBodyAsync(response, limit.Token);
            if (response.IsSuccessStatusCode)
            {
                var training = answer.Parse("the new training", ReplicateJson.Default.ReplicateTraining);
                return string.IsNullOrEmpty(training.Id)
                    ? new SubmissionOutcome.Unknown(ReplicateErrors.Unreadable("the new training"))
                    : new SubmissionOutcome.Created(ReplicateProvider.ToRun(training));
            }

            var problem = ReplicateErrors.FromAnswer(response.StatusCode, transport.RetryAfter(response), answer.Memory.Span);
            return (int)response.StatusCode is 401 or 402 or 403 or 404 or 422 or 429
                ? new SubmissionOutcome.Refused(problem, response.StatusCode == HttpStatusCode.NotFound)
                : new SubmissionOutcome.Unknown(problem);
        }
        catch (ProviderException unreadable)
        {
            return new SubmissionOutcome.Unknown(unreadable);
        }
        catch (HttpRequestException unreachable) when (unreachable.HttpRequestError
            is HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError or HttpRequestError.SecureConnectionError)
        {
            // No connection, so not a byte of the request left this machine.
            return new SubmissionOutcome.Refused(ReplicateErrors.FromNetwork(unreachable), DestinationMissing: false);
        }
        catch (Exception broken) when (broken is HttpRequestException or IOException or OperationCanceledException)
        {
            return new SubmissionOutcome.Unknown(ReplicateErrors.FromNetwork(broken));
        }
    }

    private static string Escape(string segment) => Uri.EscapeDataString(segment);
}
