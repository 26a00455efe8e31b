using System.Reflection;
using System.Security.Cryptography;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dashboard;
using Aspire.Hosting.Dcp;
using Aspire.Hosting.Eventing;
using Aspire.Hosting.Health;
using Aspire.Hosting.Orchestration;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Aspire.Hosting;

/// <summary>Describes an application over a host of its own.</summary>
internal sealed class DistributedApplicationBuilder : IDistributedApplicationBuilder
{
    private readonly HostApplicationBuilder _host;
    private readonly DistributedApplicationInterception? _interception = DistributedApplicationInterception.Current;
    private readonly ResourceCollection _resources = [];
    private readonly DistributedApplicationEventing _eventing = new();

    internal DistributedApplicationBuilder(DistributedApplicationOptions options, HostApplicationBuilderSettings? settings)
    {
        settings ??= new HostApplicationBuilderSettings();
        settings.Args ??= options.Args;
        _interception?.Creating(options, settings);

        AppHostAssembly = options.Assembly ?? Load(options.AssemblyName) ?? Assembly.GetEntryAssembly();
        var metadata = new AppHostMetadata(AppHostAssembly);
        AppHostDirectory = options.ProjectDirectory ?? metadata.ProjectDirectory ?? Directory.GetCurrentDirectory();
        settings.ApplicationName ??= AppHostAssembly?.GetName().Name;
        settings.ContentRootPath ??= Directory.Exists(AppHostDirectory) ? AppHostDirectory : null;
        settings.EnvironmentName ??= EnvironmentName(settings);
        _host = new HostApplicationBuilder(settings);

        Configuration.AddInMemoryCollection(Secrets());
        ConfigureServices(options, metadata);
    }

    public ConfigurationManager Configuration => _host.Configuration;

    public string AppHostDirectory { get; }

    public Assembly? AppHostAssembly { get; }

    public IHostEnvironment Environment => _host.Environment;

    public IServiceCollection Services => _host.Services;

    public IDistributedApplicationEventing Eventing => _eventing;

    public DistributedApplicationExecutionContext ExecutionContext { get; } = new(DistributedApplicationOperation.Run);

    public IResourceCollection Resources => _resources;

    public IResourceBuilder<T> AddResource<T>(T resource)
        where T : IResource
    {
        ArgumentNullException.ThrowIfNull(resource);
        if (Resources.FirstOrDefault(r => string.Equals(r.Name, resource.Name, StringComparison.OrdinalIgnoreCase)) is { } existing)
        {
            throw new DistributedApplicationException(
                $"Cannot add resource of type '{resource.GetType()}' with name '{resource.Name}' because resource of type '{existing.GetType()}' with that name already exists. Resource names are case-insensitive.");
        }

        Resources.Add(resource);
        return CreateResourceBuilder(resource);
    }

    public IResourceBuilder<T> CreateResourceBuilder<T>(T resource)
        where T : IResource => new ResourceBuilder<T>(this, resource);

    public DistributedApplication Build()
    {
        _interception?.Building(this);
        var host = _host.Build();
        ExecutionContext.Built(host.Services);
        var application = new DistributedApplication(host);
        _interception?.Built(application);
        return application;
    }

    private static Assembly? Load(string? name) => string.IsNullOrEmpty(name)
        ? null
        : AppDomain.CurrentDomain.GetAssemblies().FirstOrDefault(a => a.GetName().Name == name) ?? Assembly.Load(name);

    /// <summary>An AppHost runs on a developer's machine: without a word to the contrary its environment is Development.</summary>
    private static string EnvironmentName(HostApplicationBuilderSettings settings)
    {
        var given = new ConfigurationManager();
        given.AddEnvironmentVariables("DOTNET_");
        if (settings.Configuration is not null)
        {
            given.AddConfiguration(settings.Configuration);
        }

        given.AddCommandLine(settings.Args ?? []);
        return given[HostDefaults.EnvironmentKey] ?? Environments.Development;
    }

    private static string RandomToken() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    private Dictionary<string, string?> Secrets()
    {
        var defaults = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        Default("AppHost:BrowserToken", Configuration["ASPIRE_DASHBOARD_FRONTEND_BROWSERTOKEN"]);
        Default("AppHost:OtlpApiKey", null);
        Default("AppHost:ResourceService:AuthMode", "ApiKey");
        Default("AppHost:ResourceService:ApiKey", Configuration["ASPIRE_DASHBOARD_RESOURCESERVICE_APIKEY"]);
        Default("AppHost:DashboardApiKey", null);
        return defaults;

        void Default(string key, string? value)
        {
            if (string.IsNullOrEmpty(Configuration[key]))
            {
                defaults[key] = value ?? RandomToken();
            }
        }
    }

    private void ConfigureServices(DistributedApplicationOptions options, AppHostMetadata metadata)
    {
        // The AppHost's own log tells what happens to resources; the host's start-up messages would only repeat it.
        _host.Logging.AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Warning);
        _host.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        _host.Logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None);
        _host.Logging.AddFilter("System.Net.Http.HttpClient", LogLevel.Warning);

        Services.AddSingleton(options);
        Services.AddSingleton(metadata);
        Services.AddSingleton(ExecutionContext);
        Services.AddSingleton<IDistributedApplicationEventing>(_eventing);
        Services.AddSingleton(new DistributedApplicationModel(_resources));
        Services.TryAddSingleton(TimeProvider.System);
        Services.AddHttpClient();
        Services.AddHealthChecks();

        Services.AddSingleton(sp => new ResourceLoggerService(sp.GetRequiredService<TimeProvider>()));
        Services.AddSingleton<ResourceNotificationService>();
        Services.AddSingleton(sp => new ResourceCommandService(
            sp.GetRequiredService<ResourceNotificationService>(),
            sp.GetRequiredService<ResourceLoggerService>(),
            sp));

        Services.AddOptions<DcpOptions>().Configure<IConfiguration, AppHostMetadata>((dcp, configuration, host) => dcp.Read(configuration, host));
        Services.AddSingleton<DcpHost>();
        Services.AddSingleton<ApplicationOrchestrator>();
        Services.AddSingleton<ResourceServiceHost>();
        Services.AddSingleton<DashboardLauncher>();

        // Hosted services start in this order and stop in the reverse one: the orchestrator blocks until all resources started.
        Services.AddHostedService<ResourceHealthMonitor>();
        Services.AddHostedService<ResourceLogForwarder>();
        Services.AddHostedService(sp => sp.GetRequiredService<ApplicationOrchestrator>());
        Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(30));
    }
}
