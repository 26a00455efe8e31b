using Flurrty.ServiceDefaults.Data;
using Flurrty.UploadService.Datasets;
using Flurrty.UploadService.Persistence;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Flurrty.UploadService.Storage;

/// <summary>
/// Ends what nobody has ended: uploads that have expired, and datasets that no training has released for a long time. Any number of
/// processes may run it.
/// </summary>
internal sealed partial class ExpirySweeper(
    [FromKeyedServices(Dispatcher.Key)] NpgsqlDataSource dispatcher,
    IServiceScopeFactory scopes,
    RemovalSignal removals,
    IOptions<DatasetOptions> datasets,
    TimeProvider time,
    ILogger<ExpirySweeper> logger) : BackgroundService
{
    private const int Batch = 50;
    private const int LeaseSeconds = 60;

    private static readonly TimeSpan Poll = TimeSpan.FromMinutes(1);

    /// <summary>Deletes the uploads that have expired; the removal of their bytes was scheduled when they began.</summary>
    /// <returns>How many were deleted.</returns>
    public async Task<int> EndUploadsAsync(CancellationToken cancellationToken)
    {
        var ended = 0;
        foreach (var (accountId, ids) in await dispatcher.ClaimAsync("SELECT id, account_id FROM claim_expired_uploads($1, $2)", [Batch, LeaseSeconds], cancellationToken))
        {
            await using var scope = scopes.CreateAsyncScope();
            var db = scope.ServiceProvider.GetRequiredService<UploadsContext>();
            ended += await db.AsAccountAsync(
                accountId, async token => await db.PendingUploads.Where(upload => ids.Contains(upload.Id)).ExecuteDeleteAsync(token), cancellationToken);
        }

        return ended;
    }

    /// <summary>Releases the datasets that were built long ago, as the training that needed them should have done.</summary>
    /// <returns>How many were released.</returns>
    public async Task<int> ReleaseDatasetsAsync(CancellationToken cancellationToken)
    {
        var age = datasets.Value.ReleaseAfter.TotalSeconds;
        var released = 0;
        foreach (var (accountId, ids) in await dispatcher.ClaimAsync("SELECT id, account_id FROM claim_stale_datasets($1, $2, $3)", [Batch, LeaseSeconds, age], cancellationToken))
        {
            foreach (var id in ids)
            {
                await using var scope = scopes.CreateAsyncScope();
                var db = scope.ServiceProvider.GetRequiredService<UploadsContext>();
                await db.AsAccountAsync(
                    accountId,
                    async token =>
                    {
                        // Built anew or released since the claim: then it is not old any more.
                        if (await SealLock.FindAsync(db, id, token) is { State: DatasetState.Built, BuiltAt: { } builtAt } seal
                            && builtAt <= await db.NowAsync(token) - datasets.Value.ReleaseAfter)
                        {
                            await DatasetRelease.ReleaseAsync(db, seal, token);
                            released++;
                        }
                    },
                    cancellationToken);
            }
        }

        if (released > 0)
        {
            LogReleased(logger, released);
            removals.Raise();
        }

        return released;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Poll, time);
        do
        {
            try
            {
                while (await EndUploadsAsync(stoppingToken) + await ReleaseDatasetsAsync(stoppingToken) >= Batch)
                {
                    // More may be due.
                }
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception problem) when (SweepClaims.IsPassing(problem))
            {
                LogPaused(logger, problem.Message);
            }
        }
        while (await WaitAsync(timer, stoppingToken));
    }

    private static async Task<bool> WaitAsync(PeriodicTimer timer, CancellationToken stoppingToken)
    {
        try
        {
            return await timer.WaitForNextTickAsync(stoppingToken);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    [LoggerMessage(3211, LogLevel.Warning, "{Count} datasets were released that no training had released")]
    private static partial void LogReleased(ILogger logger, int count);

    [LoggerMessage(3212, LogLevel.Warning, "Ending of uploads and datasets pauses: {Reason}")]
    private static partial void LogPaused(ILogger logger, string reason);
}
