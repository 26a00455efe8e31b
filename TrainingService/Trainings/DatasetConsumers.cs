using Flurrty.Contracts.Uploads;
using Flurrty.Messaging;
using Flurrty.TrainingService.Persistence;
using Microsoft.EntityFrameworkCore;

namespace Flurrty.TrainingService.Trainings;

/// <summary>Notes that a job's dataset can be fetched, and has the driver look.</summary>
internal sealed class DatasetBuiltConsumer(TrainingContext db) : AccountConsumer<DatasetBuilt, TrainingContext>(db)
{
    protected override Guid AccountOf(DatasetBuilt message) => message.AccountId;

    protected override async Task HandleAsync(DatasetBuilt message, CancellationToken cancellationToken)
    {
        var updated = await Db.Jobs.Where(job => job.Id == message.JobId && !job.DatasetReady).ExecuteUpdateAsync(
            set => set
                .SetProperty(job => job.DatasetReady, true)
                .SetProperty(job => job.DatasetPhotos, message.Photos)
                .SetProperty(job => job.DatasetBytes, message.Bytes),
            cancellationToken);
        if (updated > 0)
        {
            await Db.WakeAsync(message.JobId, cancellationToken);
        }
    }
}

/// <summary>Notes that a job's dataset cannot be built, and has the driver look.</summary>
internal sealed class DatasetRefusedConsumer(TrainingContext db) : AccountConsumer<DatasetRefused, TrainingContext>(db)
{
    protected override Guid AccountOf(DatasetRefused message) => message.AccountId;

    protected override async Task HandleAsync(DatasetRefused message, CancellationToken cancellationToken)
    {
        await Db.Jobs.Where(job => job.Id == message.JobId && !job.DatasetReady)
            .ExecuteUpdateAsync(set => set.SetProperty(job => job.DatasetRefusedCode, message.Code), cancellationToken);
        await Db.WakeAsync(message.JobId, cancellationToken);
    }
}
