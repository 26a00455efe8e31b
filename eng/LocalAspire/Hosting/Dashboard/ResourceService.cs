using System.Threading.Channels;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Dashboard;

/// <summary>Answers what the dashboard asks: which resources there are, what they print, and to run their commands.</summary>
internal sealed partial class ResourceService(
    string applicationName,
    ResourceNotificationService notifications,
    ResourceLoggerService loggers,
    ResourceCommandService commands,
    ILogger logger)
{
    /// <summary>Changes are told together, at most this often.</summary>
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(100);

    internal async Task AnswerAsync(HttpContext context, string method)
    {
        var call = new GrpcCall(context);
        var cancellationToken = context.RequestAborted;
        try
        {
            switch (method)
            {
                case "GetApplicationInformation":
                    await call.ReadAsync(Wire.ApplicationInformationRequest.Parser, cancellationToken);
                    await call.BeginAsync(cancellationToken);
                    await call.WriteAsync(new Wire.ApplicationInformationResponse { ApplicationName = applicationName }, cancellationToken);
                    break;
                case "WatchResources":
                    await call.ReadAsync(Wire.WatchResourcesRequest.Parser, cancellationToken);
                    await call.BeginAsync(cancellationToken);
                    await WatchResourcesAsync(call, cancellationToken);
                    break;
                case "WatchResourceConsoleLogs":
                    var watch = await call.ReadAsync(Wire.WatchResourceConsoleLogsRequest.Parser, cancellationToken);
                    await call.BeginAsync(cancellationToken);
                    await WatchLogsAsync(call, watch, cancellationToken);
                    break;
                case "ExecuteResourceCommand":
                    var command = await call.ReadAsync(Wire.ResourceCommandRequest.Parser, cancellationToken);
                    await call.BeginAsync(cancellationToken);
                    await call.WriteAsync(await ExecuteAsync(command, cancellationToken), cancellationToken);
                    break;
                case "WatchInteractions":
                    // Nobody asks anything of the person at the dashboard, but the dashboard wants the stream.
                    await call.BeginAsync(cancellationToken);
                    await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
                    break;
                default:
                    call.End(GrpcCall.Outcome.Unimplemented, $"{method} is not implemented.");
                    return;
            }

            call.End(GrpcCall.Outcome.Ok);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The dashboard went away.
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or Google.Protobuf.InvalidProtocolBufferException)
        {
            call.End(GrpcCall.Outcome.InvalidArgument, e.Message);
        }
        catch (IOException)
        {
            // The dashboard went away.
        }
        catch (Exception e)
        {
            Log.Failed(logger, method, e);
            call.End(GrpcCall.Outcome.Internal, "The AppHost's log tells more.");
        }
    }

    private async Task WatchResourcesAsync(GrpcCall call, CancellationToken cancellationToken)
    {
        using var subscription = notifications.Subscribe();
        var initial = new Wire.InitialResourceData();
        initial.Resources.AddRange(subscription.Known.Where(IsShown).Select(WireMapping.ToWire));
        await call.WriteAsync(new Wire.WatchResourcesUpdate { InitialData = initial }, cancellationToken);

        while (await subscription.Changes.WaitToReadAsync(cancellationToken))
        {
            // Only the last of several changes of a resource matters.
            Dictionary<string, ResourceEvent> latest = new(StringComparer.OrdinalIgnoreCase);
            Drain(subscription.Changes, latest);
            await Task.Delay(Pace, cancellationToken);
            Drain(subscription.Changes, latest);
            var changes = new Wire.WatchResourcesChanges();
            changes.Value.AddRange(latest.Values.Where(IsShown).Select(c => new Wire.WatchResourcesChange { Upsert = WireMapping.ToWire(c) }));
            if (changes.Value.Count > 0)
            {
                await call.WriteAsync(new Wire.WatchResourcesUpdate { Changes = changes }, cancellationToken);
            }
        }
    }

    private static void Drain(ChannelReader<ResourceEvent> changes, Dictionary<string, ResourceEvent> latest)
    {
        while (changes.TryRead(out var change))
        {
            latest[change.ResourceId] = change;
        }
    }

    private static bool IsShown(ResourceEvent change) => !change.Snapshot.IsHidden;

    private async Task WatchLogsAsync(GrpcCall call, Wire.WatchResourceConsoleLogsRequest request, CancellationToken cancellationToken)
    {
        var lines = request.SuppressFollow ? loggers.GetAllAsync(request.ResourceName) : loggers.WatchAsync(request.ResourceName);
        await foreach (var batch in lines.WithCancellation(cancellationToken))
        {
            var update = new Wire.WatchResourceConsoleLogsUpdate();
            update.LogLines.AddRange(batch.Select(l => new Wire.ConsoleLogLine { Text = l.Content, IsStdErr = l.IsErrorMessage, LineNumber = l.LineNumber }));
            await call.WriteAsync(update, cancellationToken);
        }
    }

    private async Task<Wire.ResourceCommandResponse> ExecuteAsync(Wire.ResourceCommandRequest request, CancellationToken cancellationToken)
    {
        var result = await commands.ExecuteCommandAsync(request.ResourceName, request.CommandName, cancellationToken);
        var response = new Wire.ResourceCommandResponse
        {
            Kind = result switch
            {
                { Success: true } => Wire.ResourceCommandResponseKind.Succeeded,
                { Canceled: true } => Wire.ResourceCommandResponseKind.Cancelled,
                _ => Wire.ResourceCommandResponseKind.Failed,
            },
        };
        if (result.ErrorMessage is not null)
        {
            response.ErrorMessage = result.ErrorMessage;
            response.Message = result.ErrorMessage;
        }

        return response;
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Error, "The resource service failed to answer {Method}.")]
        internal static partial void Failed(ILogger logger, string method, Exception exception);
    }
}
