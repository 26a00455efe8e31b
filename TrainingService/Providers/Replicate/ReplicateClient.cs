using System.Buffers;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Mime;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Flurrty.TrainingService.Jobs;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Providers.Replicate;

/// <summary>Replicate's HTTP API, as much of it as a training needs. Only requests that are safe to repeat are repeated.</summary>
internal sealed partial class ReplicateClient(
    IHttpClientFactory clients,
    IOptions<ReplicateOptions> options,
    TimeProvider time,
    ILogger<ReplicateClient> logger)
{
    /// <summary>Requests that may be repeated.</summary>
    public const string ApiClient = "replicate";

    /// <summary>The one request that may not: a connection of its own each time, so that the handler has nothing to repeat on.</summary>
    public const string SubmitClient = "replicate-submit";

    /// <summary>Artifacts; knows no token.</summary>
    public const string DeliveryClient = "replicate-delivery";

    private readonly ReplicateOptions _options = options.Value;
    private readonly Uri _base = new(options.Value.BaseUrl.AbsoluteUri.TrimEnd('/') + "/");

    public Task<ReplicateAccount> GetAccountAsync(CancellationToken cancellationToken) =>
        ReadAsync("account", "the account", ReplicateJson.Default.ReplicateAccount, cancellationToken);

    public Task<ReplicateModel> GetModelAsync(string owner, string name, CancellationToken cancellationToken) =>
        ReadAsync($"models/{Escape(owner)}/{Escape(name)}", "a model", ReplicateJson.Default.ReplicateModel, cancellationToken);

    public Task<ReplicateTraining> GetTrainingAsync(string id, CancellationToken cancellationToken) =>
        ReadAsync($"trainings/{Escape(id)}", "a training", ReplicateJson.Default.ReplicateTraining, cancellationToken);

    public async Task<string> GetWebhookSecretAsync(CancellationToken cancellationToken)
    {
        var secret = await ReadAsync("webhooks/default/secret", "the webhook secret", ReplicateJson.Default.ReplicateSecret, cancellationToken);
        return secret.Key ?? throw ReplicateErrors.Unreadable("the webhook secret");
    }

    /// <summary>Creates a private model. One that exists already is as good.</summary>
    public async Task CreateModelAsync(ReplicateModelRequest model, CancellationToken cancellationToken)
    {
        using var request = NewRequest(HttpMethod.Post, "models");
        request.Content = JsonBody(model, ReplicateJson.Default.ReplicateModelRequest);
        try
        {
            await SendOnceAsync(request, cancellationToken);
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
        RepeatAsync(
            async token =>
            {
                using var deadline = Deadline(_options.UploadTimeout, token);
                await using var content = await source.OpenAsync(deadline.Token);
                using var request = NewRequest(HttpMethod.Post, "files");
                using var part = new KnownLengthContent(content, source.Bytes);
                part.Headers.ContentType = new MediaTypeHeaderValue(MediaTypeNames.Application.Zip);
                using var metadata = JsonBody(new ReplicateFileMetadata(installation), ReplicateJson.Default.ReplicateFileMetadata);
                using var form = new MultipartFormDataContent { { part, "content", source.FileName }, { metadata, "metadata" } };
                request.Content = form;
                return await SendOnceAsync(request, "a file", ReplicateJson.Default.ReplicateFile, deadline.Token, token);
            },
            cancellationToken);

    /// <summary>Deletes a file; one that is gone already is as good.</summary>
    public async Task DeleteFileAsync(string id, CancellationToken cancellationToken)
    {
        try
        {
            await RepeatAsync(
                async token =>
                {
                    using var request = NewRequest(HttpMethod.Delete, $"files/{Escape(id)}");
                    return await SendOnceAsync(request, token);
                },
                cancellationToken);
        }
        catch (ProviderException gone) when (gone.HttpStatus == (int)HttpStatusCode.NotFound)
        {
        }
    }

    public async Task CancelTrainingAsync(string id, CancellationToken cancellationToken)
    {
        using var request = NewRequest(HttpMethod.Post, $"trainings/{Escape(id)}/cancel");
        await SendOnceAsync(request, cancellationToken);
    }

    /// <summary>All trainings, newest first, page by page.</summary>
    public async IAsyncEnumerable<ReplicateTraining> ListTrainingsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var query = string.Empty;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        while (seen.Add(query))
        {
            var page = await ReadAsync("trainings" + query, "the trainings", ReplicateJson.Default.ReplicateTrainingPage, cancellationToken);
            foreach (var training in page.Results ?? [])
            {
                yield return training;
            }

            if (string.IsNullOrEmpty(page.Next) || !Uri.TryCreate(_base, page.Next, out var next))
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
        TimeSpan deadline,
        CancellationToken cancellationToken)
    {
        var parts = trainer.Split('/');
        using var request = NewRequest(HttpMethod.Post, $"models/{Escape(parts[0])}/{Escape(parts[1])}/versions/{Escape(version)}/trainings");
        request.Content = JsonBody(body, ReplicateJson.Default.ReplicateTrainingRequest);
        using var limit = Deadline(deadline, cancellationToken);
        try
        {
            using var client = clients.CreateClient(SubmitClient);
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            using var answer = await ReadBodyAsync(response, limit.Token);
            if (response.IsSuccessStatusCode)
            {
                var training = Parse(answer.Memory, "the new training", ReplicateJson.Default.ReplicateTraining);
                return string.IsNullOrEmpty(training.Id)
                    ? new SubmissionOutcome.Unknown(ReplicateErrors.Unreadable("the new training"))
                    : new SubmissionOutcome.Created(ReplicateProvider.ToRun(training));
            }

            var problem = ReplicateErrors.FromAnswer(response.StatusCode, RetryAfter(response), answer.Memory.Span);
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

    /// <summary>Opens an artifact, following redirects only to places that are allowed too. The token is sent to the API's own host only.</summary>
    public async Task<HttpResponseMessage> OpenArtifactAsync(Uri location, CancellationToken cancellationToken)
    {
        using var client = clients.CreateClient(DeliveryClient);
        var next = location;
        for (var hop = 0; hop < 4; hop++)
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

                throw ReplicateErrors.FromAnswer(response.StatusCode, RetryAfter(response), default);
            }
        }

        throw new ProviderException(ErrorCategory.ServiceError, "The artifact redirects too often.");
    }

    private Task<T> ReadAsync<T>(string path, string what, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        RepeatAsync(
            async token =>
            {
                using var request = NewRequest(HttpMethod.Get, path);
                using var deadline = Deadline(_options.RequestTimeout, token);
                return await SendOnceAsync(request, what, type, deadline.Token, token);
            },
            cancellationToken);

    private async Task<T> RepeatAsync<T>(Func<CancellationToken, Task<T>> send, CancellationToken cancellationToken)
    {
        var pause = _options.FirstPause;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await send(cancellationToken);
            }
            catch (ProviderException problem) when (problem.IsTransient && attempt < _options.Tries)
            {
                var wait = problem.RetryAfter ?? (pause * (0.75 + (Random.Shared.NextDouble() * 0.5)));
                if (wait > _options.MaxPause)
                {
                    throw;
                }

                Log.Repeating(logger, attempt, problem.Category.ToText(), problem.HttpStatus, wait);
                await Task.Delay(wait, time, cancellationToken);
                pause = TimeSpan.FromTicks(Math.Min(pause.Ticks * 2, _options.MaxPause.Ticks));
            }
        }
    }

    private async Task<bool> SendOnceAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var deadline = Deadline(_options.RequestTimeout, cancellationToken);
        using var answer = await SendOnceAsync(request, deadline.Token, cancellationToken);
        return true;
    }

    private async Task<T> SendOnceAsync<T>(
        HttpRequestMessage request,
        string what,
        JsonTypeInfo<T> type,
        CancellationToken deadline,
        CancellationToken cancellationToken)
    {
        using var answer = await SendOnceAsync(request, deadline, cancellationToken);
        return Parse(answer.Memory, what, type);
    }

    private async Task<Answer> SendOnceAsync(HttpRequestMessage request, CancellationToken deadline, CancellationToken cancellationToken)
    {
        try
        {
            using var client = clients.CreateClient(ApiClient);
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, deadline);
            var answer = await ReadBodyAsync(response, deadline);
            if (response.IsSuccessStatusCode)
            {
                return answer;
            }

            using (answer)
            {
                throw ReplicateErrors.FromAnswer(response.StatusCode, RetryAfter(response), answer.Memory.Span);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception broken) when (broken is HttpRequestException or IOException or OperationCanceledException)
        {
            throw ReplicateErrors.FromNetwork(broken);
        }
    }

    private HttpRequestMessage NewRequest(HttpMethod method, string path) => new(method, new Uri(_base, path))
    {
        Headers = { Authorization = new AuthenticationHeaderValue("Bearer", _options.ApiToken) },
    };

    private bool IsApi(Uri location) =>
        string.Equals(location.Scheme, _base.Scheme, StringComparison.Ordinal)
        && string.Equals(location.Authority, _base.Authority, StringComparison.OrdinalIgnoreCase);

    private static CancellationTokenSource Deadline(TimeSpan limit, CancellationToken cancellationToken)
    {
        var source = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        source.CancelAfter(limit);
        return source;
    }

    private static string Escape(string segment) => Uri.EscapeDataString(segment);

    private static ByteArrayContent JsonBody<T>(T value, JsonTypeInfo<T> type) => new(JsonSerializer.SerializeToUtf8Bytes(value, type))
    {
        Headers = { ContentType = new MediaTypeHeaderValue(MediaTypeNames.Application.Json) },
    };

    private TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => date - time.GetUtcNow() is { Ticks: > 0 } wait ? wait : TimeSpan.Zero,
        _ => null,
    };

    private async Task<Answer> ReadBodyAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        var buffer = ArrayPool<byte>.Shared.Rent((int)Math.Clamp(response.Content.Headers.ContentLength ?? 4096, 256, 1024 * 1024));
        var length = 0;
        try
        {
            while (true)
            {
                var read = await stream.ReadAsync(buffer.AsMemory(length), cancellationToken);
                if (read == 0)
                {
                    return new Answer(buffer, length);
                }

                length += read;
                if (length > _options.MaxAnswerBytes)
                {
                    throw new ProviderException(ErrorCategory.ServiceError, "Replicate's answer is longer than allowed.");
                }

                if (length == buffer.Length)
                {
                    var larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
                    buffer.AsSpan(0, length).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = larger;
                }
            }
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(buffer);
            throw;
        }
    }

    /// <summary>Reads an answer tolerantly: logs have been seen with raw control characters, and with bytes that are no UTF-8.</summary>
    private static T Parse<T>(Memory<byte> answer, string what, JsonTypeInfo<T> type)
    {
        foreach (ref var b in answer.Span)
        {
            if (b < 0x20)
            {
                b = 0x20;
            }
        }

        try
        {
            try
            {
                return JsonSerializer.Deserialize(answer.Span, type) ?? throw ReplicateErrors.Unreadable(what);
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException)
            {
                return JsonSerializer.Deserialize(Encoding.UTF8.GetString(answer.Span), type) ?? throw ReplicateErrors.Unreadable(what);
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw ReplicateErrors.Unreadable(what, e);
        }
    }

    private sealed class Answer(byte[] buffer, int length) : IDisposable
    {
        public Memory<byte> Memory => buffer.AsMemory(0, length);

        public void Dispose() => ArrayPool<byte>.Shared.Return(buffer);
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 4101, Level = LogLevel.Information,
            Message = "Repeating a request to Replicate after try {Attempt} ended with {Category} ({Status}), in {Wait}")]
        public static partial void Repeating(ILogger logger, int attempt, string category, int? status, TimeSpan wait);
    }
}
