using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Orchestration;

/// <summary>Lives the life of resources that are not processes: parameters, connection strings and parts of other resources.</summary>
internal sealed class ValueResources(ResourceNotificationService notifications, ResourceLoggerService loggers)
{
    internal async Task RunAsync(IResource resource, CancellationToken cancellationToken)
    {
        try
        {
            switch (resource)
            {
                case ParameterResource parameter:
                    var value = await parameter.GetValueAsync(cancellationToken);
                    await PublishAsync(parameter, KnownProperties.ParameterValue, value, parameter.Secret);
                    break;
                case IResourceWithParent part:
                    await FollowParentAsync(part, cancellationToken);
                    break;
                case IResourceWithConnectionString connection:
                    await notifications.WaitForDependenciesAsync(connection, cancellationToken);
                    await PublishAsync(connection, KnownProperties.ConnectionString, await connection.GetConnectionStringAsync(cancellationToken), isSensitive: true);
                    break;
                default:
                    // Whoever added it tells its state.
                    break;
            }
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            loggers.AppendNow(resource.Name, e.Message, isError: true);
            await notifications.PublishUpdateAsync(resource, s => s with { State = KnownResourceStates.FailedToStart });
        }
    }

    private Task PublishAsync(IResource resource, string property, string? value, bool isSensitive) => notifications.PublishUpdateAsync(
        resource,
        s => s.WithProperty(property, value, isSensitive) with { State = KnownResourceStates.Running });

    /// <summary>A part of another resource, for example a database of a server, is in the state of the whole.</summary>
    private async Task FollowParentAsync(IResourceWithParent part, CancellationToken cancellationToken)
    {
        await foreach (var change in notifications.WatchAsync(cancellationToken))
        {
            if (change.Resource != part.Parent)
            {
                continue;
            }

            var connection = part is IResourceWithConnectionString c && change.Snapshot.State?.Text == KnownResourceStates.Running
                ? await c.GetConnectionStringAsync(cancellationToken)
                : null;
            await notifications.PublishUpdateAsync(part, s =>
            {
                if (s.State?.Text == change.Snapshot.State?.Text)
                {
                    return s;
                }

                var runs = change.Snapshot.State?.Text == KnownResourceStates.Running;
                var next = s with
                {
                    State = change.Snapshot.State,
                    StartTimeStamp = change.Snapshot.StartTimeStamp,
                    StopTimeStamp = change.Snapshot.StopTimeStamp,
                    ReadyHandlers = runs ? s.ReadyHandlers : null,
                };
                return connection is null ? next : next.WithProperty(KnownProperties.ConnectionString, connection, isSensitive: true);
            });
        }
    }
}
