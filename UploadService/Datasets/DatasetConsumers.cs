using System.Diagnostics;
using Flurrty.Contracts.Uploads;
using Flurrty.Messaging;
using Flurrty.UploadService.Persistence;
using Flurrty.UploadService.Storage;
using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace Flurrty.UploadService.Datasets;

/// <summary>Asks for a dataset. It is built by <see cref="DatasetBuilder"/>; one that exists is reported again.</summary>
internal sealed class BuildDatasetConsumer(UploadsContext db, Outbox outbox, DatasetSignal signal) : AccountConsumer<BuildDataset, UploadsContext>(db)
{
    private const string SealNotFound = "seal_not_found";

    protected override Guid AccountOf(BuildDataset message) => message.AccountId;

    protected override async Task HandleAsync(BuildDataset message, CancellationToken cancellationToken)
    {
        if (await SealLock.FindAsync(Db, message.JobId, cancellationToken) is not { } seal)
        {
            outbox.Publish(Db, message.AccountId, DatasetAnswers.Refused(message.AccountId, message.CausedBy, message.JobId, message.Revision, SealNotFound));
            return;
        }

        if (message.Revision < seal.Revision)
        {
            return;
        }

        seal.Revision = message.Revision;
        seal.CausedBy = message.CausedBy;
        switch (seal.State)
        {
            case DatasetState.Built:
                var dataset = await Db.Datasets.AsNoTracking().FirstAsync(row => row.Id == seal.DatasetId, cancellationToken);
                seal.BuiltAt = await Db.NowAsync(cancellationToken);
                outbox.Publish(Db, seal.AccountId, DatasetAnswers.Built(seal, dataset));
                break;
            case DatasetState.Refused:
                outbox.Publish(Db, seal.AccountId, DatasetAnswers.Refused(seal.AccountId, seal.CausedBy, seal.Id, seal.Revision, seal.RefusalCode ?? SealNotFound));
                break;
            case DatasetState.Requested:
                break;
            default:
                seal.State = DatasetState.Requested;
                seal.TraceParent = Activity.Current?.Id;
                seal.ClaimedUntil = null;
                break;
        }
    }

    protected override Task CommittedAsync(BuildDataset message, CancellationToken cancellationToken)
    {
        signal.Raise();
        return Task.CompletedTask;
    }
}

/// <summary>Gives a dataset up; its object goes when no other training needs it.</summary>
internal sealed class ReleaseDatasetConsumer(UploadsContext db, RemovalSignal removals) : AccountConsumer<ReleaseDataset, UploadsContext>(db)
{
    protected override Guid AccountOf(ReleaseDataset message) => message.AccountId;

    protected override async Task HandleAsync(ReleaseDataset message, CancellationToken cancellationToken)
    {
        if (await SealLock.FindAsync(Db, message.JobId, cancellationToken) is not { } seal || message.Revision < seal.Revision)
        {
            return;
        }

        seal.Revision = message.Revision;
        await DatasetRelease.ReleaseAsync(Db, seal, cancellationToken);
    }

    protected override Task CommittedAsync(ReleaseDataset message, CancellationToken cancellationToken)
    {
        removals.Raise();
        return Task.CompletedTask;
    }
}

/// <summary>One consumer for the command's queue.</summary>
internal sealed class BuildDatasetDefinition : ConsumerDefinition<BuildDatasetConsumer>
{
    public BuildDatasetDefinition()
    {
        EndpointName = Outbox.QueueOf<BuildDataset>();
        ConcurrentMessageLimit = 8;
    }
}

/// <summary>One consumer for the command's queue.</summary>
internal sealed class ReleaseDatasetDefinition : ConsumerDefinition<ReleaseDatasetConsumer>
{
    public ReleaseDatasetDefinition()
    {
        EndpointName = Outbox.QueueOf<ReleaseDataset>();
        ConcurrentMessageLimit = 8;
    }
}

/// <summary>Wakes the <see cref="DatasetBuilder"/>.</summary>
internal sealed class DatasetSignal : LoopSignal;

internal static class SealLock
{
    /// <summary>The seal, locked until the transaction ends.</summary>
    public static async Task<Seal?> FindAsync(UploadsContext db, Guid sealId, CancellationToken cancellationToken) =>
        await db.Seals.FromSql($"SELECT * FROM seals WHERE id = {sealId} FOR UPDATE").SingleOrDefaultAsync(cancellationToken);
}

internal static class DatasetAnswers
{
    public static DatasetBuilt Built(Seal seal, Dataset dataset) => new()
    {
        AccountId = seal.AccountId,
        CausedBy = seal.CausedBy,
        JobId = seal.Id,
        Revision = seal.Revision,
        Photos = dataset.Photos,
        Bytes = dataset.Bytes,
        Sha256 = dataset.Sha256,
    };

    public static DatasetRefused Refused(Guid accountId, Guid causedBy, Guid jobId, long revision, string code) => new()
    {
        AccountId = accountId,
        CausedBy = causedBy,
        JobId = jobId,
        Revision = revision,
        Code = code,
    };
}
