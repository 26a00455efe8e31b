using Flurrty.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Mvc;

namespace Flurrty.Gateway.Routing;

/// <summary>Refuses a body that says that it is too large before a byte of it is read. One that does not say is cut off while it is streamed.</summary>
internal static class RequestBodies
{
    public static Task RefuseTooLargeAsync(HttpContext context, RequestDelegate next)
    {
        var most = MostOf(context);
        return context.Request.ContentLength > most ? Problem.WriteAsync(context, TooLarge(most)) : next(context);
    }

    public static long? MostOf(HttpContext context) => context.GetReverseProxyFeature().Route.Config.MaxRequestBodySize;

    public static ProblemDetails TooLarge(long? most) => Problem.Details(
        StatusCodes.Status413PayloadTooLarge,
        "request_too_large",
        "The request's body is too large.",
        most is null ? "Send less at once." : $"This address takes at most {most} bytes at once.");
}
