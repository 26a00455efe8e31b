using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Storage;
using Flurrty.UploadService.Persistence;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Flurrty.UploadService.Storage;

/// <summary>
/// Removes the objects whose time has come and that no row refers to. Any number of processes may run it.
/// </summary>
internal sealed partial class RemovalSweeper(
    [FromKeyedServices(Dispatcher.Key)] NpgsqlDataSource dispatcher,
    IServiceScopeFactory scopes,
    ObjectStore store,
    RemovalSignal signal,
    TimeProvider time,
    ILogger<RemovalSweeper> logger) : BackgroundService
{
    private const int Batch = 50;
    private const int LeaseSeconds = 60;

    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(15);

    /// <summary>Removes what is due now.</summary>
    /// <returns>How many removals were looked at.</returns>
    public async Task<int> SweepAsync(CancellationToken cancellationToken)
    {
        var claimed = await dispatcher.ClaimAsync("SELECT id, account_id FROM claim_removals($1, $2)", [Batch, LeaseSeconds], cancellationToken);
        foreach (var (accountId, ids) in claimed)
        {
            await RemoveAsync(accountId, ids, cancellationToken);
        }

        return claimed.Sum(static account => account.Ids.Length);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                while (await SweepAsync(stoppingToken) == Batch)
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

            await signal.WaitAsync(Poll, time, stoppingToken);
        }
    }

    private async Task RemoveAsync(Guid accountId, Guid[] ids, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<UploadsContext>();

        // The claim is committed: a row that still wanted one of these objects would have found it taken.
        var removals = await db.AsAccountAsync(
            accountId,
            async token => await db.Database.SqlQuery<Removal>(
                $"""
                 SELECT r.id AS id, r.object_key AS object_key,
                        EXISTS (SELECT 1 FROM sealed_photos s WHERE s.object_key = r.object_key)
                        OR EXISTS (SELECT 1 FROM datasets d WHERE d.object_key = r.object_key)
                        OR EXISTS (SELECT 1 FROM photos p WHERE p.id = r.photo_id) AS wanted
                 FROM scheduled_removals r WHERE r.id = ANY({ids})
                 """).ToListAsync(token),
            cancellationToken);
        foreach (var removal in removals.Where(static removal => !removal.Wanted))
        {
            await DeleteAsync(removal.ObjectKey, cancellationToken);
        }

        await db.AsAccountAsync(
            accountId,
            async token => await db.ScheduledRemovals.Where(removal => ids.Contains(removal.Id)).ExecuteDeleteAsync(token),
            cancellationToken);
        LogRemoved(logger, removals.Count(static removal => !removal.Wanted));
    }

    // A key that ends in a slash stands for all that are below it.
    private async Task DeleteAsync(string key, CancellationToken cancellationToken)
    {
        if (!key.EndsWith('/'))
        {
            await store.DeleteAsync(key, cancellationToken);
            return;
        }

        await foreach (var below in store.ListAsync(key, cancellationToken))
        {
            await store.DeleteAsync(below, cancellationToken);
        }
    }

    [LoggerMessage(3201, LogLevel.Information, "{Count} objects were removed")]
    private static partial void LogRemoved(ILogger logger, int count);

    [LoggerMessage(3202, LogLevel.Warning, "Removal of objects pauses: {Reason}")]
    private static partial void LogPaused(ILogger logger, string reason);

    private sealed record Removal(Guid Id, string ObjectKey, bool Wanted);
}
