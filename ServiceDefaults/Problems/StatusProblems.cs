using System.Diagnostics;
using System.Text.Json;
using Flurrty.ServiceDefaults.Data;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Flurrty.ServiceDefaults.Problems;

/// <summary>The problem of each refusal that the framework makes by itself.</summary>
internal static class StatusProblems
{
    public static Task WriteAsync(StatusCodeContext context) =>
        Problem.WriteAsync(context.HttpContext, For(context.HttpContext.Response.StatusCode));

    public static ProblemDetails For(int status) => status switch
    {
        StatusCodes.Status400BadRequest => Problem.Details(status, "bad_request", "The request could not be read.", "Check the request line, the headers and the body against the API's description."),
        StatusCodes.Status401Unauthorized => Problem.Details(status, "unauthorized", "The request has no valid ticket.", "Call through the gateway with an API key."),
        StatusCodes.Status403Forbidden => Problem.Details(status, "forbidden", "The caller may not do this.", "Use a key that has the right for it."),
        StatusCodes.Status404NotFound => Problem.Details(status, "not_found", "There is nothing here.", "Check the address. What belongs to somebody else is not shown."),
        StatusCodes.Status405MethodNotAllowed => Problem.Details(status, "method_not_allowed", "The method is not allowed here.", "See the Allow header for the methods of this address."),
        StatusCodes.Status408RequestTimeout => Problem.Details(status, "request_timeout", "The request came too slowly.", "Send it again over a faster connection."),
        StatusCodes.Status413PayloadTooLarge => Problem.Details(status, "request_too_large", "The request's body is too large.", "Send less at once."),
        StatusCodes.Status414UriTooLong => Problem.Details(status, "uri_too_long", "The request's address is too long.", "Shorten its path or query."),
        StatusCodes.Status415UnsupportedMediaType => Problem.Details(status, "unsupported_media_type", "The body's type is not accepted here.", "See the API's description for the accepted Content-Type."),
        StatusCodes.Status429TooManyRequests => Problem.Details(status, "rate_limited", "Too many requests.", "Wait as long as the Retry-After header says."),
        StatusCodes.Status431RequestHeaderFieldsTooLarge => Problem.Details(status, "headers_too_large", "The request's headers are too many or too long.", "Send fewer or shorter headers, cookies among them."),
        StatusCodes.Status503ServiceUnavailable => Problem.Details(status, "service_unavailable", "A part of the service is away.", "Try again in a few seconds."),
        StatusCodes.Status505HttpVersionNotsupported => Problem.Details(status, "http_version_unsupported", "The version of HTTP is not supported.", "Use HTTP/1.1 or HTTP/2."),
        >= StatusCodes.Status500InternalServerError => Problem.Details(status, "internal_error", "The service failed.", "Try again later; give the trace id when you report it."),
        _ => Problem.Details(status, "refused", "The request was refused.", "Check it against the API's description."),
    };
}

/// <summary>Turns exceptions into problems. Their texts never reach the caller.</summary>
internal sealed partial class ProblemExceptionHandler(ILogger<ProblemExceptionHandler> logger) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (httpContext.Response.HasStarted)
        {
            return false;
        }

        switch (exception)
        {
            case ProblemException problem:
                await Problem.WriteAsync(httpContext, Problem.Details(problem.Status, problem.Code, problem.Title, problem.Detail, problem.Extensions));
                return true;
            case BadHttpRequestException { StatusCode: StatusCodes.Status400BadRequest, InnerException: JsonException json }:
                await Problem.WriteAsync(httpContext, Problem.Details(
                    StatusCodes.Status400BadRequest,
                    "invalid_json",
                    "The body is not valid JSON, or a value has the wrong type.",
                    json.Path is { Length: > 1 } path && json.LineNumber is { } line ? $"See {path}, line {line + 1}, byte {json.BytePositionInLine + 1}." : "Send a JSON object as the API's description says."));
                return true;
            case BadHttpRequestException bad:
                await Problem.WriteAsync(httpContext, StatusProblems.For(bad.StatusCode));
                return true;
            case OperationCanceledException when httpContext.RequestAborted.IsCancellationRequested:
                httpContext.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
                return true;
            case var away when away.IsTransientDatabaseFailure():
                LogAway(logger, exception);
                httpContext.Response.Headers.RetryAfter = "5";
                await Problem.WriteAsync(httpContext, StatusProblems.For(StatusCodes.Status503ServiceUnavailable));
                return true;
            default:
                LogFailed(logger, exception);
                await Problem.WriteAsync(httpContext, StatusProblems.For(StatusCodes.Status500InternalServerError));
                return true;
        }
    }

    [LoggerMessage(1101, LogLevel.Error, "A request failed")]
    private static partial void LogFailed(ILogger logger, Exception exception);

    [LoggerMessage(1102, LogLevel.Warning, "A request failed because the database is away")]
    private static partial void LogAway(ILogger logger, Exception exception);
}

internal static class ProblemServices
{
    public static IServiceCollection AddFlurrtyProblems(this IServiceCollection services)
    {
        // The framework would write the whole traceparent.
        services.AddProblemDetails(static options =>
            options.CustomizeProblemDetails = static context => context.ProblemDetails.Extensions["trace_id"] = Activity.Current?.TraceId.ToHexString());
        services.AddExceptionHandler<ProblemExceptionHandler>();
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.PropertyNamingPolicy = System.Text.Json.JsonNamingPolicy.SnakeCaseLower);
        // A body that cannot be bound reaches the handler above with its reason, in development and elsewhere alike.
        services.Configure<RouteHandlerOptions>(static options => options.ThrowOnBadRequest = true);
        services.Configure<ExceptionHandlerOptions>(options => options.SuppressDiagnosticsCallback = static _ => true);
        return services;
    }
}
