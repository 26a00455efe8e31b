using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dashboard;

namespace Aspire.Hosting.Orchestration;

/// <summary>The variables that every .NET project gets.</summary>
internal static class ProjectDefaults
{
    internal static async Task ApplyAsync(EnvironmentCallbackContext context)
    {
        var variables = context.EnvironmentVariables;
        var services = context.ExecutionContext.ServiceProvider;
        var environment = services.GetRequiredService<IHostEnvironment>();
        variables["ASPNETCORE_ENVIRONMENT"] = environment.EnvironmentName;
        variables["DOTNET_ENVIRONMENT"] = environment.EnvironmentName;
        variables["DOTNET_SYSTEM_CONSOLE_ALLOW_ANSI_COLOR_REDIRECTION"] = "true";
        variables["LOGGING__CONSOLE__FORMATTERNAME"] = "simple";
        AddUrls(context.Resource, variables);
        await AddTelemetryAsync(context, environment);
    }

    private static void AddUrls(IResource resource, Dictionary<string, object> variables)
    {
        var urls = new ReferenceExpressionBuilder();
        foreach (var endpoint in ((IResourceWithEndpoints)resource).GetEndpoints().Where(e => e.IsHttp || e.IsHttps))
        {
            urls.AppendLiteral(urls.IsEmpty ? "" : ";");
            urls.AppendLiteral($"{endpoint.Scheme}://{endpoint.EndpointAnnotation.TargetHost}:");
            urls.AppendFormatted(endpoint.Property(EndpointProperty.TargetPort));
        }

        if (!urls.IsEmpty)
        {
            variables["ASPNETCORE_URLS"] = urls.Build();
        }
    }

    private static async Task AddTelemetryAsync(EnvironmentCallbackContext context, IHostEnvironment environment)
    {
        var variables = context.EnvironmentVariables;
        variables["OTEL_SERVICE_NAME"] = context.Resource.Name;
        variables["OTEL_RESOURCE_ATTRIBUTES"] = InstancePlaceholder.Attribute;
        var dashboard = context.ExecutionContext.ServiceProvider.GetRequiredService<DashboardLauncher>();
        if (await dashboard.GetOtlpAsync(context.CancellationToken) is not { } otlp)
        {
            return;
        }

        variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = otlp.Endpoint;
        variables["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc";
        if (otlp.ApiKey is not null)
        {
            variables["OTEL_EXPORTER_OTLP_HEADERS"] = new SecretText($"x-otlp-api-key={otlp.ApiKey}");
        }

        variables["OTEL_DOTNET_EXPERIMENTAL_OTLP_RETRY"] = "in_memory";
        if (environment.IsDevelopment())
        {
            variables["OTEL_BLRP_SCHEDULE_DELAY"] = "1000";
            variables["OTEL_BSP_SCHEDULE_DELAY"] = "1000";
            variables["OTEL_METRIC_EXPORT_INTERVAL"] = "1000";
            variables["OTEL_TRACES_SAMPLER"] = "always_on";
            variables["OTEL_METRICS_EXEMPLAR_FILTER"] = "trace_based";
        }
    }
}

/// <summary>A text that must not be shown.</summary>
internal sealed class SecretText(string value) : IValueProvider
{
    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default) => ValueTask.FromResult<string?>(value);
}

/// <summary>Stands for the instance id of a replica, which the variables of all replicas share a place for.</summary>
internal static class InstancePlaceholder
{
    private const string Mark = "\uE000instance\uE000";

    internal const string Attribute = "service.instance.id=" + Mark;

    internal static string Fill(string value, string instanceId) => value.Replace(Mark, instanceId, StringComparison.Ordinal);
}
