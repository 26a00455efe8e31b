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
        IResourceBuilder<ProjectResource> sandbox)
    {
        File.Delete(data.Below(FileName));
        // By factory: the container then owns it, and frees the directory with the application.
        builder.Services.AddSingleton(_ => data);
        builder.Services.AddHostedService(services => new TopologyFile(
            services.GetRequiredService<ResourceNotificationService>(),
            services.GetRequiredService<DataDirectory>().Below(FileName),
            gateway.Resource.Name,
            async cancellationToken => new Topology(
                Gateway: await ValueAsync(ReferenceExpression.Create($"{gateway.GetEndpoint("http")}"), cancellationToken),
                Dashboard: DashboardUrl(services.GetRequiredService<ResourceNotificationService>()),
                DashboardToken: builder.Configuration["AppHost:BrowserToken"],
                DashboardApiKey: builder.Configuration["AppHost:DashboardApiKey"],
                S3: await ValueAsync(infrastructure.StoreEndpoint, cancellationToken),
                Broker: await ValueAsync(infrastructure.BrokerEndpoint, cancellationToken),
                Sandbox: await ValueAsync(ReferenceExpression.Create($"{sandbox.GetEndpoint("http")}"), cancellationToken),
                SandboxParts: new Dictionary<string, string>(StringComparer.Ordinal)
                {
                    ["replicate"] = await ValueAsync(ReferenceExpression.Create($"{sandbox.GetEndpoint("http")}/v1"), cancellationToken),
                    ["admin"] = await ValueAsync(ReferenceExpression.Create($"{sandbox.GetEndpoint("http")}/admin"), cancellationToken),
                },
                SandboxAdminToken: await keys.SandboxAdmin.Resource.GetValueAsync(cancellationToken),
                ReplicateToken: await keys.ReplicateToken.Resource.GetValueAsync(cancellationToken),
                DevelopmentKey: keys.ApiKey("development"),
                GuestKey: keys.ApiKey("guest"))));
    }

    private static string? DashboardUrl(ResourceNotificationService notifications) =>
        notifications.TryGetCurrentState("aspire-dashboard", out var dashboard)
            ? dashboard.Snapshot.Urls.Where(url => url.Name is "http" or "https").Select(url => new Uri(url.Url).GetLeftPart(UriPartial.Authority)).FirstOrDefault()
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
    string Sandbox,
    IReadOnlyDictionary<string, string> SandboxParts,
    string? SandboxAdminToken,
    string? ReplicateToken,
    string DevelopmentKey,
    string GuestKey);

internal sealed class TopologyFile(ResourceNotificationService notifications, string file, string lastResource, Func<CancellationToken, Task<Topology>> read) : BackgroundService
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        _ = await notifications.WaitForResourceHealthyAsync(lastResource, stoppingToken);
        var temporary = $"{file}.new";
        await using (var stream = new FileStream(temporary, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            await JsonSerializer.SerializeAsync(stream, await read(stoppingToken), Json, stoppingToken);
        }

        File.Move(temporary, file, overwrite: true);
    }
}
