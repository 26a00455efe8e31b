using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

/// <summary>An application that is ready to run.</summary>
public class DistributedApplication : IHost, IAsyncDisposable
{
    private readonly IHost _host;
    private readonly DistributedApplicationInterception? _interception = DistributedApplicationInterception.Current;

    /// <summary>Wraps a host.</summary>
    public DistributedApplication(IHost host)
    {
        ArgumentNullException.ThrowIfNull(host);
        _host = host;
    }

    /// <summary>The services of the AppHost.</summary>
    public IServiceProvider Services => _host.Services;

    /// <summary>Knows the state of the resources.</summary>
    public ResourceNotificationService ResourceNotifications => Services.GetRequiredService<ResourceNotificationService>();

    /// <summary>Runs commands of resources.</summary>
    public ResourceCommandService ResourceCommands => Services.GetRequiredService<ResourceCommandService>();

    /// <summary>Describes a new application.</summary>
    public static IDistributedApplicationBuilder CreateBuilder() => CreateBuilder([]);

    /// <summary>Describes a new application.</summary>
    public static IDistributedApplicationBuilder CreateBuilder(string[] args) => CreateBuilder(new DistributedApplicationOptions { Args = args });

    /// <summary>Describes a new application.</summary>
    public static IDistributedApplicationBuilder CreateBuilder(DistributedApplicationOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new DistributedApplicationBuilder(options, settings: null);
    }

    /// <summary>Whether the caller is the AppHost's own code while a test is in command: the test starts and stops the application.</summary>
    private bool IsEntryPointOfTest => _interception is not null && DistributedApplicationInterception.Current == _interception;

    /// <summary>Starts all resources; returns when each is started, or failed to.</summary>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        if (IsEntryPointOfTest)
        {
            await _interception!.WhenStartedAsync();
            return;
        }

        await _host.StartAsync(cancellationToken);
        _interception?.Started();
    }

    /// <summary>Stops all resources.</summary>
    public Task StopAsync(CancellationToken cancellationToken = default) => IsEntryPointOfTest ? Task.CompletedTask : _host.StopAsync(cancellationToken);

    /// <summary>Starts all resources and stops them when asked by a signal.</summary>
    public async Task RunAsync(CancellationToken cancellationToken = default)
    {
        if (IsEntryPointOfTest)
        {
            await _interception!.WhenDisposedAsync();
            return;
        }

        var lifetime = Services.GetRequiredService<IHostApplicationLifetime>();
        try
        {
            await _host.RunAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            // The signal came while resources were still starting; disposing the host stopped them.
        }
    }

    /// <summary>Starts all resources and stops them when asked by a signal.</summary>
    public void Run() => RunAsync().GetAwaiter().GetResult();

    /// <inheritdoc />
    public virtual void Dispose()
    {
        DisposeAsync().AsTask().GetAwaiter().GetResult();
        GC.SuppressFinalize(this);
    }

    /// <inheritdoc />
    public virtual async ValueTask DisposeAsync()
    {
        if (IsEntryPointOfTest)
        {
            return;
        }

        try
        {
            await ((IAsyncDisposable)_host).DisposeAsync();
        }
        finally
        {
            _interception?.Disposed();
        }

        GC.SuppressFinalize(this);
    }
}
