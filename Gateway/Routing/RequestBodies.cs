using Flurrty.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Mvc;

namespace Flurrty.Gateway.Routing;

/// <summary>Refuses a body that says that it is too large before a byte of it is read. One that does not say is cut off while it is streamed.</summary>
internal static class RequestBodies
{
    public static Task RefuseTooLargeAsync(HttpContext context, RequestDelegate next)
    {
        var most = MostOf(context);
        if (context.Request.ContentLength is not { } length || length <= most)
        {
            return next(context);
        }

        // The server then reads on for a few seconds, so that a caller that is still sending gets to see the answer.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } feature)
        {
            feature.MaxRequestBodySize = null;
        }

        return Problem.WriteAsync(context, TooLarge(most));
    }

    public static long? MostOf(HttpContext context) => context.GetReverseProxyFeature().Route.Config.MaxRequestBodySize;

    public static ProblemDetails TooLarge(long? most) => Problem.Details(
        StatusCodes.Status413PayloadTooLarge,
        "request_too_large",
        "The request's body is too large.",
        most is null ? "Send less at once." : $"This address takes at most {most} bytes at once.");
}
