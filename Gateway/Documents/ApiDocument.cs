using System.Text.Json;
using System.Text.Json.Nodes;

namespace Flurrty.Gateway.Documents;

/// <summary>The document of the whole API: fetched from the services, merged, and kept for a while.</summary>
internal sealed partial class ApiDocument(IHttpClientFactory clients, TimeProvider time, ILogger<ApiDocument> logger) : IDisposable
{
    public const string Client = "documents";
    private const string Address = "/openapi/v1.json";
    private static readonly string[] Services = ["registry", "training", "uploads"];
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan PartialLifetime = TimeSpan.FromSeconds(2);

    private readonly Dictionary<string, JsonObject> _parts = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _turn = new(1, 1);
    private JsonObject? _document;
    private long _fetched;
    private bool _whole;

    /// <summary>The document; null when a service's part was never seen and cannot be had now.</summary>
    public async Task<JsonObject?> GetAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (_fetched == 0 || time.GetElapsedTime(_fetched) > (_whole ? Lifetime : PartialLifetime))
            {
                await FetchAsync(cancellationToken);
                _fetched = time.GetTimestamp();
            }

            return _document;
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();

    private async Task FetchAsync(CancellationToken cancellationToken)
    {
        var parts = await Task.WhenAll(Services.Select(service => FetchPartAsync(service, cancellationToken)));
        foreach (var (service, part) in Services.Zip(parts))
        {
            // The last known part stands in for a service that is away.
            if (part is not null)
            {
                _parts[service] = part;
            }
        }

        _whole = Array.TrueForAll(parts, part => part is not null);
        if (_parts.Count < Services.Length)
        {
            return;
        }

        var merged = new MergedDocument();
        foreach (var service in Services)
        {
            merged.Add(service, _parts[service]);
        }

        _document = merged.Build();
    }

    private async Task<JsonObject?> FetchPartAsync(string service, CancellationToken cancellationToken)
    {
        try
        {
            using var client = clients.CreateClient(Client);
            await using var stream = await client.GetStreamAsync(new Uri($"http://{service}{Address}"), cancellationToken);
            return await JsonNode.ParseAsync(stream, cancellationToken: cancellationToken) as JsonObject;
        }
        catch (Exception exception) when (exception is HttpRequestException or JsonException
            || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            LogAway(logger, service, exception.Message);
            return null;
        }
    }

    [LoggerMessage(4001, LogLevel.Warning, "The part of {Service} in the API's document cannot be had: {Reason}")]
    private static partial void LogAway(ILogger logger, string service, string reason);
}
