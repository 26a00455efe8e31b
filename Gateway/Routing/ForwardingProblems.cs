using Flurrty.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Mvc;
using Yarp.ReverseProxy.Forwarder;

namespace Flurrty.Gateway.Routing;

/// <summary>The problem of each way in which a request cannot be forwarded.</summary>
internal static class ForwardingProblems
{
    private const string RetryAfterSeconds = "2";

    public static async Task AnswerAsync(HttpContext context, RequestDelegate next)
    {
        await next(context);
        if (context.Features.Get<IForwarderErrorFeature>() is not { } error || context.Response.HasStarted
            // The service's own answer, which has no body and came before the request's had gone.
            || context.Response.StatusCode < StatusCodes.Status400BadRequest)
        {
            return;
        }

        if (context.RequestAborted.IsCancellationRequested)
        {
            context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
            return;
        }

        var problem = For(error, RequestBodies.MostOf(context));
        if (problem.Status >= StatusCodes.Status500InternalServerError)
        {
            context.Response.Headers.RetryAfter = RetryAfterSeconds;
        }

        await Problem.WriteAsync(context, problem);
    }

    private static ProblemDetails For(IForwarderErrorFeature error, long mostBytes) => error.Error switch
    {
        ForwarderError.RequestTimedOut => Problem.Details(
            504, "service_timeout", "A part of the service did not answer in time.", "It may still be at work. Look whether it was done before you repeat it."),
        ForwarderError.RequestBodyClient or ForwarderError.RequestBodyCanceled =>
            RefusalOf(error.Exception) switch
            {
                StatusCodes.Status413PayloadTooLarge => RequestBodies.TooLarge(mostBytes),
                StatusCodes.Status408RequestTimeout => Problem.Details(408, "request_timeout", "The request came too slowly.", "Send it again over a faster connection."),
                _ => Problem.Details(400, "request_incomplete", "The request's body did not arrive whole.", "Send the request again."),
            },
        ForwarderError.NoAvailableDestinations => Away(503),
        ForwarderError.Request when error.Exception is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError } => Away(503),
        _ => Away(502),
    };

    // The server's own refusal of a body, while it was read.
    private static int? RefusalOf(Exception? exception) => exception switch
    {
        BadHttpRequestException refusal => refusal.StatusCode,
        AggregateException many => many.InnerExceptions.Select(RefusalOf).FirstOrDefault(static status => status is not null),
        { InnerException: { } inner } => RefusalOf(inner),
        _ => null,
    };

    private static ProblemDetails Away(int status) => Problem.Details(
        status, "service_unavailable", "A part of the service is away.", "Try again in a few seconds. If the request creates something, repeat it with the same Idempotency-Key.");
}
