using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dcp;

namespace Aspire.Hosting.Orchestration;

/// <summary>Brings the output of processes into the resources' logs.</summary>
internal sealed class ProcessLogs(DcpClient dcp, ResourceLoggerService loggers, TimeProvider time)
{
    /// <summary>Follows the output of the present start of a process until it has ended.</summary>
    internal void Follow(ResourceInstance instance, CancellationToken cancellationToken)
    {
        var generation = instance.Generation;
        _ = FollowAsync("stdout", isError: false);
        _ = FollowAsync("stderr", isError: true);

        async Task FollowAsync(string source, bool isError)
        {
            var read = 0;
            while (generation == instance.Generation && !cancellationToken.IsCancellationRequested)
            {
                try
                {
                    await foreach (var line in dcp.ReadLogAsync(instance.Id, source, follow: true, read, cancellationToken))
                    {
                        read++;
                        loggers.Append(instance.Id, line, isError);
                    }

                    return;
                }
                catch (Exception e) when (e is HttpRequestException or IOException or DistributedApplicationException)
                {
                    // The stream broke, not the log: the lines read so far are skipped the next time.
                    await Task.Delay(TimeSpan.FromSeconds(1), time, CancellationToken.None);
                }
                catch (OperationCanceledException)
                {
                    return;
                }
            }
        }
    }

    /// <summary>Why a process did not start is told only in the orchestrator's own log of it.</summary>
    internal async Task ExplainFailureAsync(ResourceInstance instance, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var line in dcp.ReadLogAsync(instance.Id, "system", follow: false, skip: 0, cancellationToken))
            {
                loggers.Append(instance.Id, line, isError: true);
            }
        }
        catch (Exception e) when (e is HttpRequestException or IOException or DistributedApplicationException or OperationCanceledException)
        {
            loggers.AppendNow(instance.Id, $"The reason of the failure could not be read: {e.Message}", isError: true);
        }
    }
}
