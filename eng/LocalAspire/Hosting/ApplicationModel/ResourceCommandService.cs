namespace Aspire.Hosting.ApplicationModel;

/// <summary>Does to resources what their commands say.</summary>
public partial class ResourceCommandService
{
    private readonly ResourceNotificationService _notifications;
    private readonly ResourceLoggerService _loggers;
    private readonly IServiceProvider _services;

    internal ResourceCommandService(ResourceNotificationService notifications, ResourceLoggerService loggers, IServiceProvider services)
    {
        _notifications = notifications;
        _loggers = loggers;
        _services = services;
    }

    /// <summary>Runs a command of a resource, of one of its replicas if the id names one.</summary>
    public Task<ExecuteCommandResult> ExecuteCommandAsync(string resourceId, string commandName, CancellationToken cancellationToken = default)
    {
        if (_notifications.TryGetCurrentState(resourceId, out var known))
        {
            return ExecuteOneAsync(known.Resource, known.ResourceId, commandName, cancellationToken);
        }

        var model = (DistributedApplicationModel?)_services.GetService(typeof(DistributedApplicationModel));
        var resource = model?.Resources.FirstOrDefault(r => string.Equals(r.Name, resourceId, StringComparison.OrdinalIgnoreCase));
        return resource is null
            ? Task.FromResult(CommandResults.Failure($"Resource '{resourceId}' not found."))
            : ExecuteCommandAsync(resource, commandName, cancellationToken);
    }

    /// <summary>Runs a command of a resource and all of its replicas.</summary>
    public async Task<ExecuteCommandResult> ExecuteCommandAsync(IResource resource, string commandName, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(resource);
        var results = await Task.WhenAll(resource.InstanceIds().Select(id => ExecuteOneAsync(resource, id, commandName, cancellationToken)));
        return results.FirstOrDefault(r => !r.Success) ?? results[0];
    }

    private async Task<ExecuteCommandResult> ExecuteOneAsync(IResource resource, string id, string commandName, CancellationToken cancellationToken)
    {
        var command = resource.Annotations.OfType<ResourceCommandAnnotation>().FirstOrDefault(c => c.Name == commandName);
        var log = _loggers.GetLogger(id);
        if (command is null)
        {
            return CommandResults.Failure($"Command '{commandName}' not available for resource '{id}'.");
        }

        try
        {
            Log.Executing(log, commandName);
            var result = await command.ExecuteCommand(new ExecuteCommandContext
            {
                ServiceProvider = _services,
                ResourceName = id,
                CancellationToken = cancellationToken,
            });
            if (!result.Success && !result.Canceled)
            {
                Log.Failed(log, commandName, result.ErrorMessage ?? "no reason given", null);
            }

            return result;
        }
        catch (OperationCanceledException)
        {
            return CommandResults.Canceled();
        }
        catch (Exception e)
        {
            // A command is code of the AppHost's author: its failure belongs in the resource's log, not in the caller's stack.
            Log.Failed(log, commandName, e.Message, e);
            return CommandResults.Failure(e);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "Executing command '{Command}'.")]
        internal static partial void Executing(ILogger logger, string command);

        [LoggerMessage(2, LogLevel.Error, "Command '{Command}' failed: {Reason}")]
        internal static partial void Failed(ILogger logger, string command, string reason, Exception? exception);
    }
}
