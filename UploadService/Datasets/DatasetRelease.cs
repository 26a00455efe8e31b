using Flurrty.UploadService.Persistence;
using Microsoft.EntityFrameworkCore;

namespace Flurrty.UploadService.Datasets;

/// <summary>Gives a seal's dataset up; its object goes when no other seal needs it.</summary>
internal static class DatasetRelease
{
    /// <summary>Releases the dataset of a seal that the caller's transaction has locked.</summary>
    public static async Task ReleaseAsync(UploadsContext db, Seal seal, CancellationToken cancellationToken)
    {
        var datasetId = seal.DatasetId;
        seal.State = DatasetState.Released;
        seal.DatasetId = null;
        seal.BuiltAt = null;
        seal.ClaimedUntil = null;
        _ = await db.SaveChangesAsync(cancellationToken);
        if (datasetId is { } id)
        {
            await DropAsync(db, seal.AccountId, id, cancellationToken);
        }
    }

    private static async Task DropAsync(UploadsContext db, Guid accountId, Guid datasetId, CancellationToken cancellationToken)
    {
        // Locked first: a builder that takes the dataset for another seal waits, or is seen.
        var keys = await db.Database
            .SqlQuery<string>($"SELECT object_key AS \"Value\" FROM datasets WHERE id = {datasetId} FOR UPDATE").ToListAsync(cancellationToken);
        if (keys is not [var key] || await db.Seals.AnyAsync(seal => seal.DatasetId == datasetId, cancellationToken))
        {
            return;
        }

        _ = await db.Datasets.Where(dataset => dataset.Id == datasetId).ExecuteDeleteAsync(cancellationToken);
        _ = await db.Database.ExecuteSqlAsync(
            $"INSERT INTO scheduled_removals (id, account_id, object_key, due_at) VALUES ({Guid.CreateVersion7()}, {accountId}, {key}, clock_timestamp())", cancellationToken);
    }
}
