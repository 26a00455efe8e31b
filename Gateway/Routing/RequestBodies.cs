using System.Globalization;
using Flurrty.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Mvc;

namespace Flurrty.Gateway.Routing;

/// <summary>Refuses a body that says that it is too large before a byte of it is read. One that does not say is cut off while it is streamed.</summary>
internal static class RequestBodies
{
    public static Task RefuseTooLargeAsync(HttpContext context, RequestDelegate next)
    {
        var most = MostOf(context);
        if (context.Request.ContentLength > most)
        {
            return Problem.WriteAsync(context, TooLarge(most));
        }

        context.Request.Body = new ForwardedBody(context.Request.BodyReader, most);
        return next(context);
    }

    public static long MostOf(HttpContext context) =>
        long.Parse(context.GetReverseProxyFeature().Route.Config.Metadata![RouteTable.MostBytesMetadata], CultureInfo.InvariantCulture);

    public static ProblemDetails TooLarge(long most) => Problem.Details(
        StatusCodes.Status413PayloadTooLarge,
        "request_too_large",
        "The request's body is too large.",
        $"This address takes at most {most} bytes at once.");
}
