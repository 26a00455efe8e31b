using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Http.Resilience;
using Polly;

namespace Flurrty.ServiceDefaults.Http;

/// <summary>
/// Repeats a safe request (GET, HEAD, OPTIONS) up to three times on connection errors, 408, 429, 502, 503 and 504.
/// An unsafe request is sent once: it may cost money. The package's standard handler is not used: its time-outs would cut long transfers,
/// and its circuit breaker and rate limiter would refuse requests that nobody sent before.
/// </summary>
internal static class SafeRetries
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(5);

    public static void AddSafeRetries(this IHttpClientBuilder http) => http.AddResilienceHandler("safe", static pipeline => pipeline.AddRetry(new HttpRetryStrategyOptions
    {
        MaxRetryAttempts = 3,
        Delay = TimeSpan.FromMilliseconds(200),
        BackoffType = DelayBackoffType.Exponential,
        UseJitter = true,
        ShouldRetryAfterHeader = true,
        ShouldHandle = static arguments => ValueTask.FromResult(IsSafe(arguments.Context.GetRequestMessage()) && IsTransient(arguments.Outcome)),
    }));

    private static bool IsSafe(HttpRequestMessage? request) =>
        request is not null && (request.Method == HttpMethod.Get || request.Method == HttpMethod.Head || request.Method == HttpMethod.Options);

    private static bool IsTransient(Outcome<HttpResponseMessage> outcome) => outcome switch
    {
        { Exception: HttpRequestException } => true,
        { Result: { StatusCode: HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout } response } =>
            WaitAskedFor(response) <= LongestWait,
        _ => false,
    };

    private static TimeSpan WaitAskedFor(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } wait } => wait,
        { Date: { } date } => date - TimeProvider.System.GetUtcNow(),
        _ => TimeSpan.Zero,
    };
}
