using System.Net.Http.Headers;
using System.Net.Mime;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Flurrty.TrainingService.Jobs;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Providers.Replicate;

/// <summary>Sends requests to Replicate's API and reads the answers. Only what is safe to repeat is repeated.</summary>
internal sealed partial class ReplicateTransport(
    IHttpClientFactory clients,
    IOptions<ReplicateOptions> options,
    TimeProvider time,
    ILogger<ReplicateTransport> logger)
{
    /// <summary>Requests that may be repeated.</summary>
    public const string ApiClient = "replicate";

    private readonly ReplicateOptions _options = options.Value;

    /// <summary>Where the API is, with a slash at its end.</summary>
    public Uri BaseUrl { get; } = new(options.Value.BaseUrl.AbsoluteUri.TrimEnd('/') + "/");

    public static CancellationTokenSource TimeoutAfter(TimeSpan timeout, CancellationToken cancellationToken)
    {
        var source = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        source.CancelAfter(timeout);
        return source;
    }

    public static ByteArrayContent JsonBody<T>(T value, JsonTypeInfo<T> type) => new(JsonSerializer.SerializeToUtf8Bytes(value, type))
    {
        Headers = { ContentType = new MediaTypeHeaderValue(MediaTypeNames.Application.Json) },
    };

    public HttpRequestMessage NewRequest(HttpMethod method, string path) => new(method, new Uri(BaseUrl, path))
    {
        Headers = { Authorization = new AuthenticationHeaderValue("Bearer", _options.ApiToken) },
    };

    /// <summary>How long the answer asks to be left alone.</summary>
    public TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => date - time.GetUtcNow() is { Ticks: > 0 } wait ? wait : TimeSpan.Zero,
        _ => null,
    };

    /// <summary>Reads the body of an answer, up to the limit of its length.</summary>
    public Task<ReplicateAnswer> ReadBodyAsync(HttpResponseMessage response, CancellationToken cancellationToken) =>
        ReplicateAnswer.ReadAsync(response, _options.MaxAnswerBytes, cancellationToken);

    /// <summary>Reads a resource; a transient failure is tried again.</summary>
    public Task<T> ReadAsync<T>(string path, string what, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        RepeatAsync(
            async token =>
            {
                using var request = NewRequest(HttpMethod.Get, path);
                using var timeout = TimeoutAfter(_options.RequestTimeout, token);
                return await SendOnceAsync(request, what, type, timeout.Token, token);
            },
            cancellationToken);

    /// <summary>Sends what may be repeated, again while a failure is transient and a wait is short.</summary>
    public async Task<T> RepeatAsync<T>(Func<CancellationToken, Task<T>> send, CancellationToken cancellationToken)
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

    /// <summary>Sends a request whose answer says nothing more.</summary>
    public async Task<bool> SendOnceAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var timeout = TimeoutAfter(_options.RequestTimeout, cancellationToken);
        using var answer = await SendOnceAsync(request, timeout.Token, cancellationToken);
        return true;
    }

    /// <summary>Sends a request and reads its answer.</summary>
    public async Task<T> SendOnceAsync<T>(
        HttpRequestMessage request,
        string what,
        JsonTypeInfo<T> type,
        CancellationToken timeout,
        CancellationToken cancellationToken)
    {
        using var answer = await SendOnceAsync(request, timeout, cancellationToken);
        return answer.Parse(what, type);
    }

    private async Task<ReplicateAnswer> SendOnceAsync(HttpRequestMessage request, CancellationToken timeout, CancellationToken cancellationToken)
    {
        try
        {
            using var client = clients.CreateClient(ApiClient);
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, timeout);
            var answer = await ReadBodyAsync(response, timeout);
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

    private static partial class Log
    {
        [LoggerMessage(EventId = 4101, Level = LogLevel.Information,
            Message = "Repeating a request to Replicate after try {Attempt} ended with {Category} ({Status}), in {Wait}")]
        public static partial void Repeating(ILogger logger, int attempt, string category, int? status, TimeSpan wait);
    }
}
