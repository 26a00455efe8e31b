namespace Aspire.Hosting;

/// <summary>Lets a test look into an AppHost that runs in its process: the entry point's flow of execution carries one of these.</summary>
internal sealed class DistributedApplicationInterception(
    Action<DistributedApplicationOptions, HostApplicationBuilderSettings> onCreating,
    Action<DistributedApplicationBuilder> onBuilding,
    Action<DistributedApplication> onBuilt)
{
    private static readonly AsyncLocal<DistributedApplicationInterception?> Ambient = new();
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _disposed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal static DistributedApplicationInterception? Current
    {
        get => Ambient.Value;
        set => Ambient.Value = value;
    }

    internal void Creating(DistributedApplicationOptions options, HostApplicationBuilderSettings settings) => onCreating(options, settings);

    /// <summary>Holds the AppHost before it builds, until the test has changed what it wants.</summary>
    internal void Building(DistributedApplicationBuilder builder) => onBuilding(builder);

    internal void Built(DistributedApplication application) => onBuilt(application);

    internal void Started() => _started.TrySetResult();

    internal Task WhenStartedAsync() => Task.WhenAny(_started.Task, _disposed.Task);

    internal void Disposed() => _disposed.TrySetResult();

    internal Task WhenDisposedAsync() => _disposed.Task;
}
