using Flurrty.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Http.Features;

namespace Flurrty.Gateway.Routing;

/// <summary>Refuses a body that says that it is too large before a byte of it is read. One that does not say is cut off while it is streamed.</summary>
internal static class RequestBodies
{
    public static Task RefuseTooLargeAsync(HttpContext context, RequestDelegate next) =>
        context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { MaxRequestBodySize: { } most } && context.Request.ContentLength > most
            ? Problem.WriteAsync(context, TooLarge(most))
            : next(context);

    public static Microsoft.AspNetCore.Mvc.ProblemDetails TooLarge(long? most) => Problem.Details(
        StatusCodes.Status413PayloadTooLarge,
        "request_too_large",
        "The request's body is too large.",
        most is null ? "Send less at once." : $"This address takes at most {most} bytes at once.");
}
