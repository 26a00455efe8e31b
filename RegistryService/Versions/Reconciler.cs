using System.Diagnostics;
using Flurrty.Messaging;
using Flurrty.RegistryService.Persistence;
using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Hosting;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Flurrty.RegistryService.Versions;

/// <summary>
/// Sees to it that every version ends although the broker may lose everything: asks again for each training that nobody acknowledged,
/// and asks TrainingService about each one that it has not heard of for a while. Any number of processes may run it.
/// </summary>
internal sealed partial class Reconciler(
    [FromKeyedServices(Dispatcher.Key)] NpgsqlDataSource dispatcher,
    IServiceScopeFactory scopes,
    IOptions<ReconcilerOptions> options,
    TimeProvider time,
    ILogger<Reconciler> logger) : BackgroundService
{
    internal static readonly ActivitySource Source = new("Flurrty.RegistryService");

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => BackgroundLoop.RunAsync(
        "reconciling of quiet versions",
        async token =>
        {
            while (await ReconcileBatchAsync(token) == options.Value.Batch)
            {
                // More may be due.
            }

            await Task.Delay(options.Value.Every, time, token);
        },
        time,
        logger,
        stoppingToken);

    private async Task<int> ReconcileBatchAsync(CancellationToken cancellationToken)
    {
        var due = await dispatcher.ClaimAsync(
            "SELECT id, account_id FROM claim_quiet_versions($1, $2, $3)", [options.Value.Batch, options.Value.ResendAfter, options.Value.AskAfter], cancellationToken);
        foreach (var (id, accountId) in due)
        {
            try
            {
                await ReconcileAsync(id, accountId, cancellationToken);
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                // The next one may fare better; this one is due again after its time.
                LogPutOff(logger, id, exception);
            }
        }

        return due.Count;
    }

    private async Task ReconcileAsync(Guid id, Guid accountId, CancellationToken cancellationToken)
    {
        // The loop's own work is nobody's request.
        Activity.Current = null;
        using var activity = Source.StartActivity("reconcile version");
        activity?.SetTag("flurrty.version", id);
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<RegistryDbContext>();
        var status = await db.AsAccountAsync(
            accountId,
            token => db.Versions.Where(version => version.Id == id).Select(version => (VersionStatus?)version.Status).SingleOrDefaultAsync(token),
            cancellationToken);
        if (status == VersionStatus.Pending)
        {
            await ResendAsync(scope.ServiceProvider, db, id, accountId, cancellationToken);
        }
        else if (status == VersionStatus.Training)
        {
            await AskAsync(scope.ServiceProvider, db, id, accountId, cancellationToken);
        }
    }

    private async Task ResendAsync(IServiceProvider services, RegistryDbContext db, Guid id, Guid accountId, CancellationToken cancellationToken)
    {
        var outbox = services.GetRequiredService<Outbox>();
        await db.AsAccountAsync(
            accountId,
            async token =>
            {
                var version = await db.Versions.AsNoTracking().SingleAsync(row => row.Id == id, token);
                outbox.Send(db, accountId, TrainingCommand.For(version));
                await db.SaveChangesAsync(token);
            },
            cancellationToken);
        LogResent(logger, id);
    }

    private async Task AskAsync(IServiceProvider services, RegistryDbContext db, Guid id, Guid accountId, CancellationToken cancellationToken)
    {
        var training = services.GetRequiredService<TrainingClient>();
        var answer = await training.FindTrainingAsync(accountId, id, cancellationToken);
        if (answer is null)
        {
            // TrainingService lost the job, such as by a restored backup. Asking again is all that ends the version.
            LogForgotten(logger, id);
            await ResendAsync(services, db, id, accountId, cancellationToken);
            return;
        }

        var progress = services.GetRequiredService<VersionProgress>();
        await db.AsAccountAsync(
            accountId,
            async token =>
            {
                await progress.TakeAsync(db, answer.ToReport(), token);
                await db.SaveChangesAsync(token);
            },
            cancellationToken);
    }

    [LoggerMessage(6202, LogLevel.Warning, "Version {VersionId} could not be reconciled; it is tried again")]
    private static partial void LogPutOff(ILogger logger, Guid versionId, Exception exception);

    [LoggerMessage(6203, LogLevel.Information, "Asked again for the training of version {VersionId}")]
    private static partial void LogResent(ILogger logger, Guid versionId);

    [LoggerMessage(6204, LogLevel.Warning, "TrainingService knows nothing of version {VersionId}, which is in training")]
    private static partial void LogForgotten(ILogger logger, Guid versionId);
}
