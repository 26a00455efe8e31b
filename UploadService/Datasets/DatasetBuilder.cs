using System.Diagnostics;
using System.Net;
using System.Text;
using Amazon.Runtime;
using Amazon.S3;
using Flurrty.Messaging;
using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Storage;
using Flurrty.UploadService.Persistence;
using Flurrty.UploadService.PhotoSets;
using Flurrty.UploadService.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Flurrty.UploadService.Datasets;

/// <summary>
/// Builds the datasets that were asked for: claims a seal as dispatcher, streams its photos into a zip in the store without a transaction,
/// then records the dataset and publishes the answer in one. Any number of processes may run it; a crash costs the rest of a lease.
/// </summary>
internal sealed partial class DatasetBuilder(
    [FromKeyedServices(Dispatcher.Key)] NpgsqlDataSource dispatcher,
    IServiceScopeFactory scopes,
    ObjectStore store,
    Outbox outbox,
    DatasetSignal signal,
    RemovalSignal removals,
    IOptions<DatasetOptions> options,
    TimeProvider time,
    ILogger<DatasetBuilder> logger) : BackgroundService
{
    private const int LeaseSeconds = 30;
    private const string Zip = "application/zip";

    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RenewEvery = TimeSpan.FromSeconds(LeaseSeconds / 3);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(Enumerable.Range(0, options.Value.ConcurrentBuilds).Select(_ => RunAsync(stoppingToken)));

    private async Task RunAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                while (await ClaimAsync(stoppingToken) is var (id, accountId))
                {
                    // The others look for what else was asked for at the same moment.
                    signal.Raise();
                    await BuildGuardedAsync(id, accountId, stoppingToken);
                }
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception problem) when (IsPassing(problem))
            {
                LogPaused(logger, problem.Message);
            }

            await signal.WaitAsync(Poll, time, stoppingToken);
        }
    }

    private async Task<(Guid Id, Guid AccountId)?> ClaimAsync(CancellationToken cancellationToken)
    {
        await using var command = dispatcher.CreateCommand("SELECT id, account_id FROM claim_datasets($1, $2)");
        command.Parameters.Add(new NpgsqlParameter { Value = 1 });
        command.Parameters.Add(new NpgsqlParameter { Value = LeaseSeconds });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken) ? (reader.GetGuid(0), reader.GetGuid(1)) : null;
    }

    private async Task BuildGuardedAsync(Guid sealId, Guid accountId, CancellationToken cancellationToken)
    {
        Activity.Current = null;
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<UploadsContext>();
        try
        {
            await BuildAsync(db, sealId, accountId, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (DatasetRefusedException refusal)
        {
            LogRefused(logger, sealId, refusal.Code);
            await RefuseAsync(sealId, accountId, refusal.Code, cancellationToken);
        }
        catch (Exception problem) when (IsPassing(problem))
        {
            LogRetry(logger, sealId, problem.Message);
            await PostponeAsync(sealId, accountId, cancellationToken);
        }
    }

    private async Task BuildAsync(UploadsContext db, Guid sealId, Guid accountId, CancellationToken cancellationToken)
    {
        var plan = await PlanAsync(db, sealId, accountId, cancellationToken);
        if (plan is null)
        {
            return;
        }

        using var activity = ActivityContext.TryParse(plan.Seal.TraceParent, traceState: null, isRemote: true, out var parent)
            ? PhotoIntake.Source.StartActivity("dataset build", ActivityKind.Internal, parent)
            : null;
        activity?.SetTag("dataset.photos", plan.Photos.Count);
        var sha256 = "";
        var stored = await store.PutStreamingAsync(
            plan.Key,
            async (output, token) => sha256 = await WriteAsync(output, plan, db, token),
            Zip,
            cancellationToken);
        activity?.SetTag("dataset.bytes", stored.Bytes);
        var dataset = new Dataset
        {
            Id = plan.DatasetId,
            AccountId = accountId,
            ContentSha256 = plan.ContentSha256,
            ObjectKey = plan.Key,
            Bytes = stored.Bytes,
            Sha256 = sha256,
            Photos = plan.Photos.Count,
        };
        await RecordAsync(db, plan, dataset, cancellationToken);
        LogBuilt(logger, sealId, dataset.Photos, dataset.Bytes);
    }

    /// <summary>Reads what to build, or reports at once a dataset that exists. Null when there is nothing to build.</summary>
    private async Task<Plan?> PlanAsync(UploadsContext db, Guid sealId, Guid accountId, CancellationToken cancellationToken) =>
        await db.AsAccountAsync(
            accountId,
            async token =>
            {
                if (await SealLock.FindAsync(db, sealId, token) is not { State: DatasetState.Requested } seal)
                {
                    return null;
                }

                var photos = await db.SealedPhotos.AsNoTracking().Where(photo => photo.SealId == sealId).OrderBy(photo => photo.Position).ToListAsync(token);
                var content = DatasetManifest.HashOf(photos);
                if (await FindAsync(db, content, token) is { } existing)
                {
                    await AnswerAsync(db, seal, existing, token);
                    _ = await db.SaveChangesAsync(token);
                    return null;
                }

                var datasetId = Guid.CreateVersion7(time.GetUtcNow());
                var key = ObjectKeys.Dataset(accountId, datasetId);
                var grace = ScheduledRemoval.Grace;
                _ = await db.Database.ExecuteSqlAsync(
                    $"INSERT INTO scheduled_removals (id, account_id, object_key, due_at) VALUES ({datasetId}, {accountId}, {key}, clock_timestamp() + {grace})", token);
                return new Plan(seal, seal.Claims, photos, content, datasetId, key);
            },
            cancellationToken);

    private async Task<string> WriteAsync(Stream output, Plan plan, UploadsContext db, CancellationToken cancellationToken)
    {
        using var zip = new StoredZipWriter(output);
        var renewed = time.GetTimestamp();

        // The next photo is asked for while one is copied: the store's answer time is not waited for.
        Task<Stream>? next = null;
        try
        {
            for (var index = 0; index < plan.Photos.Count; index++)
            {
                var photo = plan.Photos[index];
                await using var content = await (next ?? OpenAsync(photo, cancellationToken));
                next = index + 1 < plan.Photos.Count ? OpenAsync(plan.Photos[index + 1], cancellationToken) : null;
                await AddAsync(zip, photo, content, cancellationToken);
                if (time.GetElapsedTime(renewed) > RenewEvery)
                {
                    await RenewAsync(db, plan, cancellationToken);
                    renewed = time.GetTimestamp();
                }
            }
        }
        catch
        {
            if (next is not null)
            {
                await AbandonAsync(next);
            }

            throw;
        }

        return await zip.FinishAsync(cancellationToken);
    }

    private static async Task AddAsync(StoredZipWriter zip, SealedPhoto photo, Stream content, CancellationToken cancellationToken)
    {
        var stem = DatasetManifest.Stem(photo.Position);
        try
        {
            await zip.AddAsync($"{stem}.jpg", photo.Bytes, checked((uint)photo.Crc32), content, cancellationToken);
        }
        catch (InvalidDataException)
        {
            throw new DatasetRefusedException("photo_damaged");
        }

        await zip.AddAsync($"{stem}.txt", Encoding.UTF8.GetBytes(photo.Caption), cancellationToken);
    }

    private async Task<Stream> OpenAsync(SealedPhoto photo, CancellationToken cancellationToken)
    {
        try
        {
            return await store.GetUnverifiedAsync(photo.ObjectKey, cancellationToken);
        }
        catch (AmazonS3Exception problem) when (problem.StatusCode == HttpStatusCode.NotFound)
        {
            throw new DatasetRefusedException("photo_missing");
        }
    }

    private static async Task AbandonAsync(Task<Stream> opening)
    {
        try
        {
            await using var content = await opening;
        }
        catch (Exception problem) when (IsPassing(problem) || problem is DatasetRefusedException)
        {
            // The first failure is the one that is reported.
        }
    }

    private async Task RecordAsync(UploadsContext db, Plan plan, Dataset dataset, CancellationToken cancellationToken) =>
        await db.AsAccountAsync(
            dataset.AccountId,
            async token =>
            {
                db.ChangeTracker.Clear();
                if (await SealLock.FindAsync(db, plan.Seal.Id, token) is not { State: DatasetState.Requested } seal || seal.Claims != plan.Claims)
                {
                    // Released meanwhile, or another builder has it: the object goes when its removal is due.
                    return;
                }

                var existing = await FindAsync(db, dataset.ContentSha256, token);
                if (existing is null)
                {
                    var kept = await db.ScheduledRemovals.Where(removal => removal.Id == dataset.Id && removal.ClaimedUntil == null).ExecuteDeleteAsync(token);
                    if (kept == 0)
                    {
                        throw new TimeoutException("Building took longer than the grace of its object.");
                    }

                    _ = db.Datasets.Add(dataset);
                }

                await AnswerAsync(db, seal, existing ?? dataset, token);
                _ = await db.SaveChangesAsync(token);
            },
            cancellationToken);

    private async Task AnswerAsync(UploadsContext db, Seal seal, Dataset dataset, CancellationToken cancellationToken)
    {
        seal.BuiltAt = await db.NowAsync(cancellationToken);
        seal.ClaimedUntil = null;
        seal.State = DatasetState.Built;
        seal.DatasetId = dataset.Id;
        outbox.Publish(db, seal.AccountId, DatasetAnswers.Built(seal, dataset));
    }

    private static async Task<Dataset?> FindAsync(UploadsContext db, string contentSha256, CancellationToken cancellationToken) =>
        await db.Datasets.FromSql($"SELECT * FROM datasets WHERE content_sha256 = {contentSha256} FOR UPDATE").SingleOrDefaultAsync(cancellationToken);

    private static async Task RenewAsync(UploadsContext db, Plan plan, CancellationToken cancellationToken)
    {
        var held = await db.AsAccountAsync(
            plan.Seal.AccountId,
            async token => await db.Database.ExecuteSqlAsync(
                $"UPDATE seals SET claimed_until = clock_timestamp() + make_interval(secs => {LeaseSeconds}) WHERE id = {plan.Seal.Id} AND claims = {plan.Claims} AND state = 'Requested'",
                token),
            cancellationToken);
        if (held == 0)
        {
            throw new TimeoutException("The dataset is no longer ours to build.");
        }
    }

    private async Task RefuseAsync(Guid sealId, Guid accountId, string code, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<UploadsContext>();
        await db.AsAccountAsync(
            accountId,
            async token =>
            {
                if (await SealLock.FindAsync(db, sealId, token) is { State: DatasetState.Requested } seal)
                {
                    seal.State = DatasetState.Refused;
                    seal.RefusalCode = code;
                    outbox.Publish(db, accountId, DatasetAnswers.Refused(accountId, seal.CausedBy, seal.Id, seal.Revision, code));
                    _ = await db.SaveChangesAsync(token);
                }
            },
            cancellationToken);
        removals.Raise();
    }

    private async Task PostponeAsync(Guid sealId, Guid accountId, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<UploadsContext>();
        var longest = LongestPause.TotalSeconds;
        await db.AsAccountAsync(
            accountId,
            async token => await db.Database.ExecuteSqlAsync(
                $"""
                 UPDATE seals SET claimed_until = clock_timestamp() + make_interval(secs => least({longest}, power(2, least(claims, 10)) * (0.5 + random() / 2)))
                 WHERE id = {sealId} AND state = 'Requested'
                 """,
                token),
            cancellationToken);
    }

    private static bool IsPassing(Exception problem) => problem is NpgsqlException or DbUpdateException or InvalidOperationException or TimeoutException
        or AmazonServiceException or AmazonClientException or HttpRequestException or IOException or OperationCanceledException;

    [LoggerMessage(3301, LogLevel.Information, "The dataset of {SealId} is built: {Photos} photos, {Bytes} bytes")]
    private static partial void LogBuilt(ILogger logger, Guid sealId, int photos, long bytes);

    [LoggerMessage(3302, LogLevel.Warning, "The dataset of {SealId} is refused: {Code}")]
    private static partial void LogRefused(ILogger logger, Guid sealId, string code);

    [LoggerMessage(3303, LogLevel.Warning, "The dataset of {SealId} will be tried again: {Reason}")]
    private static partial void LogRetry(ILogger logger, Guid sealId, string reason);

    [LoggerMessage(3304, LogLevel.Warning, "Building of datasets pauses: {Reason}")]
    private static partial void LogPaused(ILogger logger, string reason);

    private sealed record Plan(Seal Seal, int Claims, IReadOnlyList<SealedPhoto> Photos, string ContentSha256, Guid DatasetId, string Key);

    private sealed class DatasetRefusedException(string code) : Exception(code)
    {
        public string Code { get; } = code;
    }
}
