using System.Net;
using System.Security.Cryptography;
using System.Text;
using Aspire.Hosting.ApplicationModel;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Aspire.Hosting.Dashboard;

/// <summary>Listens for the dashboard: HTTP/2 without TLS on the loopback interface, for whoever knows the key.</summary>
internal sealed class ResourceServiceHost(
    DistributedApplicationOptions options,
    IHostEnvironment environment,
    IConfiguration configuration,
    ResourceNotificationService notifications,
    ResourceLoggerService loggers,
    ResourceCommandService commands,
    ILogger<ResourceServiceHost> logger) : IAsyncDisposable
{
    internal const string ApiKeyHeader = "x-resource-service-api-key";
    private const string Service = "/aspire.v1.DashboardService/{method}";
    private WebApplication? _web;

    /// <summary>Where it listens.</summary>
    internal Uri Address => new(_web!.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());

    internal string ApiKey { get; } = configuration["AppHost:ResourceService:ApiKey"] ?? throw new InvalidOperationException("The resource service has no key.");

    public ValueTask DisposeAsync() => _web?.DisposeAsync() ?? ValueTask.CompletedTask;

    internal async Task StartAsync(CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            // The dashboard's streams may be silent for hours.
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2);
        });
        _web = builder.Build();
        var service = new ResourceService(ApplicationName(), notifications, loggers, commands, logger);
        _web.MapPost(Service, async (HttpContext context, string method) =>
        {
            if (IsKnown(context.Request.Headers[ApiKeyHeader]))
            {
                await service.AnswerAsync(context, method);
            }
            else
            {
                new GrpcCall(context).End(GrpcCall.Outcome.Unauthenticated, "The key is missing or wrong.");
            }
        });
        await _web.StartAsync(cancellationToken);
    }

    internal async Task StopAsync()
    {
        if (_web is not null)
        {
            // The dashboard's streams never end by themselves.
            using var now = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
            await _web.StopAsync(now.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private bool IsKnown(string? key) =>
        key is not null && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes(ApiKey));

    private string ApplicationName()
    {
        const string suffix = ".AppHost";
        var name = options.DashboardApplicationName ?? environment.ApplicationName;
        return name.EndsWith(suffix, StringComparison.Ordinal) ? name[..^suffix.Length] : name;
    }
}
