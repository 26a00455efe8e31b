using System.Net;
using Microsoft.Extensions.Logging;
using Polly;
using Polly.Retry;

namespace Flurrty.ServiceDefaults.Http;

/// <summary>
/// Repeats a safe request (GET, HEAD, OPTIONS) up to three times on connection errors, 408, 429, 502, 503 and 504, with jitter and honouring Retry-After.
/// An unsafe request is sent once: it may cost money. Stands in for Microsoft.Extensions.Http.Resilience; delete it when that package is on the feed.
/// </summary>
internal sealed partial class ResilienceHandler(ILogger<ResilienceHandler> logger) : DelegatingHandler
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(5);

    private readonly ResiliencePipeline<HttpResponseMessage> _pipeline = new ResiliencePipelineBuilder<HttpResponseMessage>()
        .AddRetry(new RetryStrategyOptions<HttpResponseMessage>
        {
            MaxRetryAttempts = 3,
            Delay = TimeSpan.FromMilliseconds(200),
            BackoffType = DelayBackoffType.Exponential,
            UseJitter = true,
            ShouldHandle = static arguments => ValueTask.FromResult(IsTransient(arguments.Outcome)),
            DelayGenerator = static arguments => ValueTask.FromResult(RetryAfter(arguments.Outcome.Result)),
            OnRetry = arguments =>
            {
                LogRetry(logger, arguments.AttemptNumber + 1, (int?)arguments.Outcome.Result?.StatusCode, arguments.Outcome.Exception?.GetType().Name);
                arguments.Outcome.Result?.Dispose();
                return ValueTask.CompletedTask;
            },
        })
        .Build();

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request.Method != HttpMethod.Get && request.Method != HttpMethod.Head && request.Method != HttpMethod.Options)
        {
            return await base.SendAsync(request, cancellationToken);
        }

        var original = request.RequestUri;
        return await _pipeline.ExecuteAsync(
            async token =>
            {
                request.RequestUri = original;
                return await base.SendAsync(request, token);
            },
            cancellationToken);
    }

    private static bool IsTransient(Outcome<HttpResponseMessage> outcome) => outcome switch
    {
        { Exception: HttpRequestException } => true,
        { Result.StatusCode: HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout } =>
            RetryAfter(outcome.Result) is not { } wait || wait <= LongestWait,
        _ => false,
    };

    private static TimeSpan? RetryAfter(HttpResponseMessage? response) => response?.Headers.RetryAfter?.Delta;

    [LoggerMessage(1001, LogLevel.Information, "Repeats a safe request, try {Attempt}, after status {Status} or exception {Exception}")]
    private static partial void LogRetry(ILogger logger, int attempt, int? status, string? exception);
}
