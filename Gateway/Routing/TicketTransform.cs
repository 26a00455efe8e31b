using System.Collections.Frozen;
using System.Security.Claims;
using Flurrty.ServiceDefaults.Tickets;
using Yarp.ReverseProxy.Transforms;
using Yarp.ReverseProxy.Transforms.Builder;

namespace Flurrty.Gateway.Routing;

/// <summary>
/// Takes away from each request what only the gateway may say or see, and stamps it with a ticket for the service, method and path that it goes to.
/// </summary>
internal sealed class TicketTransform(TicketSigner signer) : ITransformProvider
{
    // What is ours, and what says who the caller is: the latter is written anew from what the gateway itself knows.
    private static readonly string[] OurPrefixes = ["X-Flurrty-", "X-Forwarded-", "X-Original-"];

    private static readonly FrozenSet<string> NotForwarded = FrozenSet.Create(
        StringComparer.OrdinalIgnoreCase,
        "Authorization",
        "X-Api-Key",
        "Cookie",
        "Proxy-Authorization",
        "Forwarded",
        "X-Real-IP",
        "traceparent",
        "tracestate",
        "baggage",
        "Request-Id",
        "Correlation-Context");

    public void ValidateRoute(TransformRouteValidationContext context)
    {
        if (context.Route.Metadata?.GetValueOrDefault(RouteTable.TicketMetadata) is not { } kind || !Enum.TryParse<TicketKind>(kind, out _))
        {
            context.Errors.Add(new InvalidOperationException($"Route {context.Route.RouteId} names no kind of ticket."));
        }
    }

    public void ValidateCluster(TransformClusterValidationContext context)
    {
        // Every cluster may be called.
    }

    public void Apply(TransformBuilderContext context)
    {
        var kind = Enum.Parse<TicketKind>(context.Route.Metadata![RouteTable.TicketMetadata]);
        var audience = context.Route.ClusterId!;
        context.AddRequestTransform(request =>
        {
            var headers = request.ProxyRequest.Headers;
            foreach (var name in request.HttpContext.Request.Headers.Select(header => header.Key).Where(IsNotForwarded))
            {
                headers.Remove(name);
            }

            var account = kind is TicketKind.User or TicketKind.Operator ? AccountOf(request.HttpContext.User) : Guid.Empty;
            headers.Add(TicketAuthentication.HeaderName, signer.Sign(kind, audience, account, request.ProxyRequest.Method.Method, request.Path.Value ?? "/"));
            return ValueTask.CompletedTask;
        });
    }

    private static bool IsNotForwarded(string name) =>
        NotForwarded.Contains(name) || Array.Exists(OurPrefixes, prefix => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase));

    private static Guid AccountOf(ClaimsPrincipal caller) => Guid.Parse(
        caller.FindFirstValue(ClaimTypes.NameIdentifier) ?? throw new InvalidOperationException("A route for callers with a key was reached without one."));
}
