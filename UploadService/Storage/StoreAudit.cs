using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Storage;
using Flurrty.UploadService.Persistence;
using Flurrty.UploadService.PhotoSets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Flurrty.UploadService.Storage;

/// <summary>
/// Compares rows and objects, for what neither a scheduled removal nor a transaction could keep together: a put that landed after
/// everything else, a store that was restored from yesterday. Any number of processes may run it.
/// </summary>
internal sealed partial class StoreAudit(
    [FromKeyedServices(Dispatcher.Key)] NpgsqlDataSource dispatcher,
    IServiceScopeFactory scopes,
    ObjectStore store,
    ThumbnailRepair thumbnails,
    RemovalSignal removals,
    IOptions<StoreAuditOptions> options,
    TimeProvider time,
    ILogger<StoreAudit> logger) : BackgroundService
{
    private const int Batch = 100;
    private const int KeysAtATime = 500;
    private const int FewestForDoubt = 10;

    private static readonly TimeSpan Poll = TimeSpan.FromMinutes(1);

    /// <summary>
    /// Schedules the removal of every object that no row names. It is due after the grace and asks for the rows again then, so an object
    /// whose row is only now being written stays.
    /// </summary>
    /// <returns>How many were scheduled.</returns>
    public async Task<int> FindOrphansAsync(CancellationToken cancellationToken)
    {
        var orphans = 0;
        var foreign = 0;
        var batch = new List<ObjectName>();
        await foreach (var key in store.ListAsync("", cancellationToken))
        {
            if (ObjectName.Parse(key) is not { } name)
            {
                foreign++;
                continue;
            }

            if (batch.Count == KeysAtATime || (batch.Count > 0 && batch[0].AccountId != name.AccountId))
            {
                orphans += await ScheduleAsync(batch, cancellationToken);
                batch.Clear();
            }

            batch.Add(name);
        }

        orphans += await ScheduleAsync(batch, cancellationToken);
        if (orphans > 0 || foreign > 0)
        {
            LogOrphans(logger, orphans, foreign);
        }

        return orphans;
    }

    /// <summary>Looks for the objects of the photos whose turn it is. A photo whose object stays missing is given up; a missing thumbnail is made anew.</summary>
    /// <returns>How many photos were looked at.</returns>
    public async Task<int> FindLostPhotosAsync(CancellationToken cancellationToken)
    {
        var limits = options.Value;
        var looks = new List<(Photo Photo, bool Found)>();
        object[] parameters = [Batch, limits.PhotosEvery.TotalSeconds, limits.MissingGrace.TotalSeconds / 2];
        foreach (var (accountId, ids) in await dispatcher.ClaimAsync("SELECT id, account_id FROM claim_photo_checks($1, $2, $3)", parameters, cancellationToken))
        {
            await using var scope = scopes.CreateAsyncScope();
            var db = scope.ServiceProvider.GetRequiredService<UploadsContext>();
            var photos = await db.AsAccountAsync(
                accountId, async token => await db.Photos.AsNoTracking().Where(photo => ids.Contains(photo.Id)).ToListAsync(token), cancellationToken);
            foreach (var photo in photos)
            {
                var found = await store.HeadAsync(ObjectKeys.Photo(accountId, photo.PhotoSetId, photo.Id), cancellationToken) is not null;
                looks.Add((photo, found));
                if (found)
                {
                    _ = await thumbnails.RepairAsync(photo, cancellationToken);
                }
            }
        }

        // When most are missing it is the store that is wrong: another one, or one that was emptied. Then no row is given up.
        var missing = looks.Count(static look => !look.Found);
        var isStoreWrong = missing >= FewestForDoubt && missing * 2 > looks.Count;
        if (isStoreWrong)
        {
            LogStoreWrong(logger, missing, looks.Count);
        }

        foreach (var (photo, found) in looks)
        {
            await NoteAsync(photo, found, mayGiveUp: !isStoreWrong, cancellationToken);
        }

        return looks.Count;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var listed = time.GetTimestamp();
        using var timer = new PeriodicTimer(Poll, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                try
                {
                    _ = await FindLostPhotosAsync(stoppingToken);
                    if (time.GetElapsedTime(listed) >= options.Value.ObjectsEvery)
                    {
                        listed = time.GetTimestamp();
                        _ = await FindOrphansAsync(stoppingToken);
                    }
                }
                catch (Exception problem) when (SweepClaims.IsPassing(problem) && !stoppingToken.IsCancellationRequested)
                {
                    LogPaused(logger, problem.Message);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    private async Task<int> ScheduleAsync(List<ObjectName> names, CancellationToken cancellationToken)
    {
        if (names is not [{ AccountId: var accountId }, ..])
        {
            return 0;
        }

        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<UploadsContext>();
        var (keys, removalKeys) = (names.Select(static name => name.Key).ToArray(), names.Select(static name => name.RemovalKey).ToArray());
        var (photoIds, uploadIds) = (names.Select(static name => name.PhotoId).ToArray(), names.Select(static name => name.UploadId).ToArray());
        var grace = ScheduledRemoval.Grace;
        return await db.AsAccountAsync(
            accountId,
            async token => await db.Database.ExecuteSqlAsync(
                $"""
                 INSERT INTO scheduled_removals (id, account_id, object_key, photo_id, due_at)
                 SELECT gen_random_uuid(), {accountId}, o.key, o.photo_id, clock_timestamp() + {grace}
                 FROM unnest({keys}, {removalKeys}, {photoIds}, {uploadIds}) AS o(key, removal_key, photo_id, upload_id)
                 WHERE NOT EXISTS (SELECT 1 FROM photos p WHERE p.id = o.photo_id)
                   AND NOT EXISTS (SELECT 1 FROM pending_uploads u WHERE u.id = o.upload_id)
                   AND NOT EXISTS (SELECT 1 FROM sealed_photos s WHERE s.object_key = o.key)
                   AND NOT EXISTS (SELECT 1 FROM datasets d WHERE d.object_key = o.key)
                   AND NOT EXISTS (SELECT 1 FROM scheduled_removals r WHERE r.object_key IN (o.key, o.removal_key))
                 """,
                token),
            cancellationToken);
    }

    private async Task NoteAsync(Photo photo, bool found, bool mayGiveUp, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<UploadsContext>();
        if (found)
        {
            if (photo.MissingSince is not null)
            {
                await SetMissingAsync(db, photo, since: null, cancellationToken);
            }

            return;
        }

        var now = await db.AsAccountAsync(photo.AccountId, async token => await db.NowAsync(token), cancellationToken);
        if (photo.MissingSince is not { } since)
        {
            LogMissing(logger, photo.Id);
            await SetMissingAsync(db, photo, now, cancellationToken);
        }
        else if (mayGiveUp && since <= now - options.Value.MissingGrace)
        {
            LogLost(logger, photo.Id, since);
            await db.AsAccountAsync(
                photo.AccountId,
                async token =>
                {
                    if (await PhotoSetLock.TakeAsync(db, photo.PhotoSetId, token) && await db.Photos.AnyAsync(row => row.Id == photo.Id, token))
                    {
                        await PhotoRemoval.DeleteAsync(db, photo.AccountId, photo.PhotoSetId, [photo.Id], token);
                    }
                },
                cancellationToken);
            removals.Raise();
        }
    }

    private static async Task SetMissingAsync(UploadsContext db, Photo photo, DateTimeOffset? since, CancellationToken cancellationToken) => await db.AsAccountAsync(
        photo.AccountId,
        async token => await db.Photos.Where(row => row.Id == photo.Id).ExecuteUpdateAsync(row => row.SetProperty(changed => changed.MissingSince, since), token),
        cancellationToken);

    [LoggerMessage(3221, LogLevel.Warning, "{Orphans} objects belong to no row and will be removed; {Foreign} have names that are not ours and stay")]
    private static partial void LogOrphans(ILogger logger, int orphans, int foreign);

    [LoggerMessage(3222, LogLevel.Warning, "The object of photo {PhotoId} is not in the store")]
    private static partial void LogMissing(ILogger logger, Guid photoId);

    [LoggerMessage(3223, LogLevel.Warning, "The object of photo {PhotoId} has been missing since {Since}: the photo is given up")]
    private static partial void LogLost(ILogger logger, Guid photoId, DateTimeOffset since);

    [LoggerMessage(3224, LogLevel.Warning, "Comparing rows and objects pauses: {Reason}")]
    private static partial void LogPaused(ILogger logger, string reason);

    [LoggerMessage(3225, LogLevel.Error, "{Missing} of {Looked} photos have no object: the store is not the one that they were put into, or was emptied. No photo is given up")]
    private static partial void LogStoreWrong(ILogger logger, int missing, int looked);

    /// <summary>What an object's key says.</summary>
    /// <param name="Key">The key.</param>
    /// <param name="RemovalKey">The key that a removal of it may have instead.</param>
    /// <param name="AccountId">Whose it is.</param>
    /// <param name="PhotoId">The photo that it is of.</param>
    /// <param name="UploadId">The upload that it is of.</param>
    private sealed record ObjectName(string Key, string RemovalKey, Guid AccountId, Guid? PhotoId, Guid? UploadId)
    {
        public static ObjectName? Parse(string key) => key.Split('/') switch
        {
            ["quarantine", var account, var upload, _] when Guid.TryParseExact(account, "n", out var accountId) && Guid.TryParseExact(upload, "n", out var uploadId) =>
                new ObjectName(key, ObjectKeys.Quarantine(accountId, uploadId), accountId, PhotoId: null, uploadId),
            [var account, "datasets", _] when Guid.TryParseExact(account, "n", out var accountId) => new ObjectName(key, key, accountId, PhotoId: null, UploadId: null),
            [var account, var set, var file] when Guid.TryParseExact(account, "n", out var accountId) && Guid.TryParseExact(set, "n", out _)
                && Guid.TryParseExact(file.Split('.')[0], "n", out var photoId) => new ObjectName(key, key, accountId, photoId, UploadId: null),
            _ => null,
        };
    }
}
