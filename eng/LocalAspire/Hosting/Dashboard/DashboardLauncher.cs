using System.Net.Sockets;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dcp;
using Aspire.Hosting.Orchestration;
using Microsoft.Extensions.Options;

namespace Aspire.Hosting.Dashboard;

/// <summary>Where telemetry goes.</summary>
internal sealed record OtlpTarget(string Endpoint, string? ApiKey);

/// <summary>Adds the official dashboard to the application as a hidden resource, which is stopped together with the rest.</summary>
internal sealed partial class DashboardLauncher(
    DistributedApplicationOptions applicationOptions,
    IOptions<DcpOptions> options,
    IConfiguration configuration,
    ResourceServiceHost resourceService,
    ILogger<DistributedApplication> logger)
{
    internal const string ResourceName = "aspire-dashboard";
    private const string Ui = "http";
    private const string OtlpGrpc = "otlp-grpc";
    private const string OtlpHttp = "otlp-http";

    /// <summary>The dashboard; null where the application does without.</summary>
    internal ExecutableResource? Resource { get; private set; }

    private bool IsAnonymous => configuration.GetValue("ASPIRE_DASHBOARD_UNSECURED_ALLOW_ANONYMOUS", defaultValue: false);

    internal async Task PrepareAsync(DistributedApplicationModel model, CancellationToken cancellationToken)
    {
        if (applicationOptions.DisableDashboard)
        {
            return;
        }

        var program = options.Value.RequireDashboard();
        Resource = new ExecutableResource(ResourceName, program, Path.GetDirectoryName(program)!);
        Resource.Annotations.Add(new HiddenAnnotation());
        Resource.Annotations.Add(Endpoint(Ui, configuration["ASPNETCORE_URLS"], "http"));
        Resource.Annotations.Add(Endpoint(OtlpGrpc, configuration["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"], "http2"));
        Resource.Annotations.Add(Endpoint(OtlpHttp, configuration["ASPIRE_DASHBOARD_OTLP_HTTP_ENDPOINT_URL"], "http"));
        Resource.Annotations.Add(new CommandLineArgsCallbackAnnotation(context =>
        {
            context.Args.Add("dashboard");
            return Task.CompletedTask;
        }));
        Resource.Annotations.Add(new EnvironmentCallbackAnnotation(ConfigureAsync));
        model.Resources.Insert(0, Resource);
        await resourceService.StartAsync(cancellationToken);
    }

    internal Task StopAsync() => resourceService.StopAsync();

    internal async Task<OtlpTarget?> GetOtlpAsync(CancellationToken cancellationToken)
    {
        if (Resource is not null)
        {
            var url = await Resource.GetEndpoint(OtlpGrpc).GetValueAsync(cancellationToken);
            return new OtlpTarget(url!, IsAnonymous ? null : configuration["AppHost:OtlpApiKey"]);
        }

        return configuration["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] is { Length: > 0 } given ? new OtlpTarget(given, configuration["AppHost:OtlpApiKey"]) : null;
    }

    /// <summary>Says where the dashboard is as soon as it runs.</summary>
    internal async Task AnnounceAsync(ResourceNotificationService notifications, CancellationToken cancellationToken)
    {
        if (Resource is null)
        {
            return;
        }

        await notifications.WaitForResourceAsync(ResourceName, KnownResourceStates.Running, cancellationToken);
        var url = $"http://127.0.0.1:{Resource.GetEndpoint(Ui).Port}";
        Log.Listening(logger, url);
        if (!IsAnonymous)
        {
            Log.Login(logger, $"{url}/login?t={configuration["AppHost:BrowserToken"]}");
        }
    }

    private static EndpointAnnotation Endpoint(string name, string? configuredUrl, string transport)
    {
        var port = configuredUrl?.Split(';') is [{ Length: > 0 } first, ..] && Uri.TryCreate(first, UriKind.Absolute, out var url) && url.Port > 0 ? url.Port : (int?)null;
        return new EndpointAnnotation(ProtocolType.Tcp, "http", transport, name, port) { TargetHost = "127.0.0.1" };
    }

    private Task ConfigureAsync(EnvironmentCallbackContext context)
    {
        var variables = context.EnvironmentVariables;
        variables["ASPNETCORE_ENVIRONMENT"] = "Production";
        variables["ASPNETCORE_URLS"] = Listen(Ui);
        variables["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = Listen(OtlpGrpc);
        variables["ASPIRE_DASHBOARD_OTLP_HTTP_ENDPOINT_URL"] = Listen(OtlpHttp);
        variables["ASPIRE_DASHBOARD_API_ENABLED"] = "true";
        variables["ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL"] = resourceService.Address.ToString();
        variables["DASHBOARD__RESOURCESERVICECLIENT__AUTHMODE"] = "ApiKey";
        variables["DASHBOARD__RESOURCESERVICECLIENT__APIKEY"] = new SecretText(resourceService.ApiKey);
        variables["DASHBOARD__OTLP__SUPPRESSUNSECUREDTELEMETRYMESSAGE"] = "true";
        if (IsAnonymous)
        {
            variables["ASPIRE_DASHBOARD_UNSECURED_ALLOW_ANONYMOUS"] = "true";
        }
        else
        {
            variables["DASHBOARD__FRONTEND__AUTHMODE"] = "BrowserToken";
            variables["DASHBOARD__FRONTEND__BROWSERTOKEN"] = Secret("AppHost:BrowserToken");
            variables["DASHBOARD__OTLP__AUTHMODE"] = "ApiKey";
            variables["DASHBOARD__OTLP__PRIMARYAPIKEY"] = Secret("AppHost:OtlpApiKey");
            variables["DASHBOARD__API__AUTHMODE"] = "ApiKey";
            variables["DASHBOARD__API__PRIMARYAPIKEY"] = Secret("AppHost:DashboardApiKey");
        }

        return Task.CompletedTask;

        ReferenceExpression Listen(string endpoint)
        {
            var url = new ReferenceExpressionBuilder();
            url.AppendLiteral("http://127.0.0.1:");
            url.AppendFormatted(Resource!.GetEndpoint(endpoint).Property(EndpointProperty.TargetPort));
            return url.Build();
        }
    }

    private SecretText Secret(string key) => new(configuration[key] ?? string.Empty);

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "Dashboard listening on: {Url}")]
        internal static partial void Listening(ILogger logger, string url);

        [LoggerMessage(2, LogLevel.Information, "Login to the dashboard at {Url}")]
        internal static partial void Login(ILogger logger, string url);
    }
}
