using System.Globalization;
using System.Net;
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

    /// <summary>The metadata of a route that says how large a body may be, in bytes.</summary>
    public const string MostBytesMetadata = "most-bytes";

    /// <summary>The metadata of a route that says which limit its callers without account have.</summary>
    public const string Anonymous = "anonymous";

    // Of the server: the body counts for itself, so that it can be dropped after a refusal.
    private const long NoLimit = -1;

    private const string Uploads = "uploads";
    private const string Training = "training";
    private const string Registry = "registry";

    /// <summary>The services; those that have an endpoint <c>h2c</c> are called by HTTP/2, in which an answer may come before the request's body has gone (ADR 0017).</summary>
    public static IReadOnlyList<ClusterConfig> Clusters(RoutingOptions options, Func<string, bool> hasHttp2) =>
    [
        Cluster(Uploads, options.UploadInactivity, hasHttp2),
        Cluster(Training, options.Inactivity, hasHttp2),
        Cluster(Registry, options.Inactivity, hasHttp2),
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
        MaxRequestBodySize = NoLimit,
        Metadata = Metadata(TicketKind.User, maxBodyBytes),
    };

    private static RouteConfig Operator(string service, string path, long maxBodyBytes) => new()
    {
        RouteId = path,
        ClusterId = service,
        Match = new RouteMatch { Path = path },
        AuthorizationPolicy = TicketPolicies.Operator,
        MaxRequestBodySize = NoLimit,
        Metadata = Metadata(TicketKind.Operator, maxBodyBytes),
    };

    // The token in the address, or the worker's own, is checked by the service.
    private static RouteConfig Open(TicketKind kind, string path, long maxBodyBytes) => new()
    {
        RouteId = path,
        ClusterId = Training,
        Match = new RouteMatch { Path = path },
        AuthorizationPolicy = Anonymous,
        MaxRequestBodySize = NoLimit,
        Metadata = Metadata(kind, maxBodyBytes),
    };

    private static Dictionary<string, string> Metadata(TicketKind kind, long maxBodyBytes) => new(StringComparer.Ordinal)
    {
        [TicketMetadata] = kind.ToString(),
        [MostBytesMetadata] = maxBodyBytes.ToString(CultureInfo.InvariantCulture),
    };

    private static ClusterConfig Cluster(string service, TimeSpan inactivity, Func<string, bool> hasHttp2) => new()
    {
        ClusterId = service,

        // Bytes of headers pass as they came; else one beyond ASCII would end the request.
        HttpClient = new HttpClientConfig { RequestHeaderEncoding = Encoding.Latin1.WebName, ResponseHeaderEncoding = Encoding.Latin1.WebName },
        HttpRequest = new ForwarderRequestConfig
        {
            ActivityTimeout = inactivity,
            Version = hasHttp2(service) ? HttpVersion.Version20 : HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        },
        Destinations = new Dictionary<string, DestinationConfig>(StringComparer.Ordinal)
        {
            [service] = new() { Address = hasHttp2(service) ? $"http://_h2c.{service}" : $"http://{service}" },
        },
    };
}
