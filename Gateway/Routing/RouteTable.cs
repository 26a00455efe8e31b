using System.Text;
using Flurrty.ServiceDefaults.Tickets;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;

namespace Flurrty.Gateway.Routing;

/// <summary>Which service answers what. What is not in here is not reachable from outside.</summary>
internal static class RouteTable
{
    /// <summary>The metadata of a route that says which kind of ticket its requests get.</summary>
    public const string TicketMetadata = "ticket";

    /// <summary>The metadata of a route that says which limit its callers without account have.</summary>
    public const string Anonymous = "anonymous";

    private const string Uploads = "uploads";
    private const string Training = "training";
    private const string Registry = "registry";

    public static IReadOnlyList<ClusterConfig> Clusters(RoutingOptions options) =>
    [
        Cluster(Uploads, options.UploadInactivity),
        Cluster(Training, options.Inactivity),
        Cluster(Registry, options.Inactivity),
    ];

    public static IReadOnlyList<RouteConfig> Routes(RoutingOptions options) =>
    [
        User(Uploads, "/api/photo-sets/{id}/photos", options.MaxUploadBytes),
        User(Uploads, "/api/photo-sets/{id}/tus/{**rest}", options.MaxUploadBytes),
        User(Uploads, "/api/photo-sets/{**rest}", options.MaxBodyBytes),
        User(Uploads, "/api/uploads/{**rest}", options.MaxUploadBytes),
        User(Registry, "/api/identities/{**rest}", options.MaxBodyBytes),
        User(Registry, "/api/events", options.MaxBodyBytes),
        User(Registry, "/api/notifications/{**rest}", options.MaxBodyBytes),
        User(Registry, "/api/erasures/{**rest}", options.MaxBodyBytes),
        User(Training, "/api/trainings/{**rest}", options.MaxBodyBytes),
        User(Training, "/api/estimates", options.MaxBodyBytes),
        User(Training, "/api/providers", options.MaxBodyBytes),
        User(Training, "/api/credentials/{**rest}", options.MaxBodyBytes),
        User(Training, "/api/ledger", options.MaxBodyBytes),
        User(Training, "/api/generations/{**rest}", options.MaxBodyBytes),
        User(Training, "/api/batches/{**rest}", options.MaxBodyBytes),
        Operator(Registry, "/api/operator/{**rest}", options.MaxBodyBytes),
        Open(TicketKind.Webhook, "/webhooks/{provider}/{token}", options.MaxWebhookBytes),
        Open(TicketKind.Worker, "/worker/{**rest}", options.MaxWebhookBytes),
    ];

    private static RouteConfig User(string service, string path, long maxBodyBytes) => new()
    {
        RouteId = path,
        ClusterId = service,
        Match = new RouteMatch { Path = path },
        AuthorizationPolicy = "default",
        MaxRequestBodySize = maxBodyBytes,
        Metadata = Ticket(TicketKind.User),
    };

    private static RouteConfig Operator(string service, string path, long maxBodyBytes) => new()
    {
        RouteId = path,
        ClusterId = service,
        Match = new RouteMatch { Path = path },
        AuthorizationPolicy = TicketPolicies.Operator,
        MaxRequestBodySize = maxBodyBytes,
        Metadata = Ticket(TicketKind.Operator),
    };

    // The token in the address, or the worker's own, is checked by the service.
    private static RouteConfig Open(TicketKind kind, string path, long maxBodyBytes) => new()
    {
        RouteId = path,
        ClusterId = Training,
        Match = new RouteMatch { Path = path },
        AuthorizationPolicy = Anonymous,
        MaxRequestBodySize = maxBodyBytes,
        Metadata = Ticket(kind),
    };

    private static Dictionary<string, string> Ticket(TicketKind kind) => new(StringComparer.Ordinal) { [TicketMetadata] = kind.ToString() };

    private static ClusterConfig Cluster(string service, TimeSpan inactivity) => new()
    {
        ClusterId = service,

        // Bytes of headers pass as they came; else one beyond ASCII would end the request.
        HttpClient = new HttpClientConfig { RequestHeaderEncoding = Encoding.Latin1.WebName, ResponseHeaderEncoding = Encoding.Latin1.WebName },
        HttpRequest = new ForwarderRequestConfig { ActivityTimeout = inactivity },
        Destinations = new Dictionary<string, DestinationConfig>(StringComparer.Ordinal) { [service] = new() { Address = $"http://{service}" } },
    };
}
