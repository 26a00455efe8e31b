using System.Text.Json;
using Flurrty.AppHost.Infrastructure;

namespace Flurrty.AppHost;

internal static class TopologyFileExtensions
{
    private const string FileName = "topology.json";

    /// <summary>Writes <c>topology.json</c> below the data directory once the gateway is healthy: where everything is, and the development keys. Readable by its owner alone.</summary>
    public static void AddTopologyFile(
        this IDistributedApplicationBuilder builder,
        DataDirectory data,
        Keys keys,
        InfrastructureResources infrastructure,
        IResourceBuilder<ProjectResource> gateway,
        SandboxResource? sandbox)
    {
        File.Delete(data.Below(FileName));
        // By factory: the container then owns it, and frees the directory with the application.
        builder.Services.AddSingleton(_ => data);
        gateway.OnResourceReady(async (_, ready, cancellationToken) =>
        {
            var topology = new Topology(
                Gateway: await ValueAsync(ReferenceExpression.Create($"{gateway.GetEndpoint("http")}"), cancellationToken),
                Dashboard: DashboardUrl(ready.Services.GetRequiredService<ResourceNotificationService>()),
                DashboardToken: builder.Configuration["AppHost:BrowserToken"],
                DashboardApiKey: builder.Configuration["AppHost:DashboardApiKey"],
                S3: await ValueAsync(infrastructure.StoreEndpoint, cancellationToken),
                Broker: await ValueAsync(infrastructure.BrokerEndpoint, cancellationToken),
                Sandbox: sandbox is null ? null : await ValueAsync(ReferenceExpression.Create($"{sandbox.Project.GetEndpoint("http")}"), cancellationToken),
                SandboxParts: sandbox is null ? null : await PartsAsync(sandbox, cancellationToken),
                SandboxAdminToken: sandbox is null ? null : await keys.SandboxAdmin.Resource.GetValueAsync(cancellationToken),
                ReplicateToken: await TokenAsync(sandbox, "replicate", cancellationToken),
                DevelopmentKey: keys.ApiKey("development"),
                GuestKey: keys.ApiKey("guest"),
                OperatorKey: keys.OperatorKey);
            await topology.WriteAsync(ready.Services.GetRequiredService<DataDirectory>().Below(FileName), cancellationToken);
        });
    }

    private static string? DashboardUrl(ResourceNotificationService notifications) =>
        notifications.TryGetCurrentState("aspire-dashboard", out var dashboard)
            ? dashboard.Snapshot.Urls.Where(url => url.Name is "http" or "https").Select(url => new Uri(url.Url).GetLeftPart(UriPartial.Authority)).FirstOrDefault()
            : null;

    private static async Task<IReadOnlyDictionary<string, string>> PartsAsync(SandboxResource sandbox, CancellationToken cancellationToken)
    {
        var endpoint = sandbox.Project.GetEndpoint("http");
        var parts = new Dictionary<string, string>(StringComparer.Ordinal) { ["admin"] = await ValueAsync(ReferenceExpression.Create($"{endpoint}/admin"), cancellationToken) };
        foreach (var provider in sandbox.Tokens.Keys)
        {
            parts[provider.Name] = await ValueAsync(ReferenceExpression.Create($"{endpoint}{provider.SandboxPath}"), cancellationToken);
        }

        return parts;
    }

    /// <summary>The token that the Sandbox accepts. A live one is never written here.</summary>
    private static async ValueTask<string?> TokenAsync(SandboxResource? sandbox, string provider, CancellationToken cancellationToken) =>
        sandbox?.Tokens.FirstOrDefault(pair => string.Equals(pair.Key.Name, provider, StringComparison.Ordinal)).Value is { } token
            ? await token.Resource.GetValueAsync(cancellationToken)
            : null;

    private static async ValueTask<string> ValueAsync(ReferenceExpression expression, CancellationToken cancellationToken) =>
        await expression.GetValueAsync(cancellationToken) ?? "";
}

internal sealed record Topology(
    string Gateway,
    string? Dashboard,
    string? DashboardToken,
    string? DashboardApiKey,
    string S3,
    string Broker,
    string? Sandbox,
    IReadOnlyDictionary<string, string>? SandboxParts,
    string? SandboxAdminToken,
    string? ReplicateToken,
    string DevelopmentKey,
    string GuestKey,
    string OperatorKey)
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    public async Task WriteAsync(string file, CancellationToken cancellationToken)
    {
        var temporary = $"{file}.new";
        await using (var stream = new FileStream(temporary, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            await JsonSerializer.SerializeAsync(stream, this, Json, cancellationToken);
        }

        File.Move(temporary, file, overwrite: true);
    }
}
