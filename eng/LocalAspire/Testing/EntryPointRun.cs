using System.Reflection;
using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.Testing;

/// <summary>Runs the entry point of an AppHost on a thread of its own and holds it where the test takes over.</summary>
internal sealed class EntryPointRun
{
    private readonly Assembly _assembly;
    private readonly string[] _args;
    private readonly DistributedApplicationInterception _interception;
    private readonly TaskCompletionSource<DistributedApplicationBuilder> _builder = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<DistributedApplication> _application = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _mayBuild = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal EntryPointRun(Assembly assembly, string[] args, Action<DistributedApplicationOptions, HostApplicationBuilderSettings> configureBuilder)
    {
        _assembly = assembly;
        _args = args;
        _interception = new DistributedApplicationInterception(
            (options, settings) =>
            {
                TestDefaults.Apply(options, settings, assembly, args);
                configureBuilder(options, settings);
            },
            builder =>
            {
                _builder.TrySetResult(builder);
                _mayBuild.Task.GetAwaiter().GetResult();
            },
            application => _application.TrySetResult(application));
    }

    internal Task<DistributedApplicationBuilder> StartAsync(CancellationToken cancellationToken)
    {
        var entryPoint = _assembly.EntryPoint
            ?? throw new InvalidOperationException($"The assembly '{_assembly.GetName().Name}' has no entry point: name a type of the AppHost.");
        new Thread(() => Run(entryPoint)) { IsBackground = true, Name = $"AppHost {_assembly.GetName().Name}" }.Start();
        return _builder.Task.WaitAsync(cancellationToken);
    }

    internal Task<DistributedApplication> BuildAsync(CancellationToken cancellationToken)
    {
        _mayBuild.TrySetResult();
        return _application.Task.WaitAsync(cancellationToken);
    }

    internal async ValueTask DisposeAsync()
    {
        _mayBuild.TrySetException(new OperationCanceledException("The test ended before the application was built."));
        if (_application.Task.IsCompletedSuccessfully)
        {
            await (await _application.Task).DisposeAsync();
        }
    }

    private void Run(MethodInfo entryPoint)
    {
        DistributedApplicationInterception.Current = _interception;
        Exception failure = new InvalidOperationException(
            $"The entry point of '{_assembly.GetName().Name}' ended without building a {nameof(DistributedApplication)}.");
        try
        {
            object?[] arguments = entryPoint.GetParameters().Length == 0 ? [] : [_args];
            (entryPoint.Invoke(null, arguments) as Task)?.GetAwaiter().GetResult();
        }
        catch (Exception e)
        {
            // It belongs to whoever waits for the builder or the application.
            failure = e is TargetInvocationException { InnerException: { } inner } ? inner : e;
        }

        failure = ExceptionDispatchInfo.SetCurrentStackTrace(new DistributedApplicationException(failure.Message, failure));
        _builder.TrySetException(failure);
        _application.TrySetException(failure);

        // Nobody may be waiting: a failure after the hand-over is not to end the test process.
        _ = _builder.Task.Exception;
        _ = _application.Task.Exception;
    }
}
