using Flurrty.RegistryService.Persistence;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Flurrty.RegistryService.Versions;

/// <summary>Takes reports about trainings into the account's rows. The caller has opened the account's transaction and saves.</summary>
internal sealed partial class VersionProgress(IOptions<ReconcilerOptions> options, ILogger<VersionProgress> logger)
{
    public async Task TakeAsync(RegistryDbContext db, TrainingReport report, CancellationToken cancellationToken)
    {
        // The identity's row lock puts the reports of one identity in a line.
        var identity = await db.Identities
            .FromSql($"SELECT i.* FROM identities i WHERE i.id = (SELECT v.identity_id FROM versions v WHERE v.id = {report.VersionId}) FOR UPDATE")
            .SingleOrDefaultAsync(cancellationToken);
        var version = await db.Versions.SingleOrDefaultAsync(row => row.Id == report.VersionId, cancellationToken);
        if (identity is null || version is null)
        {
            LogUnknown(logger, report.VersionId);
            return;
        }

        var now = await db.NowAsync(cancellationToken);
        var before = version.Status;
        if (version.Apply(report, now, options.Value.AskAfter))
        {
            identity.Touch(now);
            if (version.Status != before)
            {
                LogMoved(logger, version.Id, before, version.Status, report.Revision);
            }
        }
        else if (before.HasEnded() && report.Revision > version.TrainingRevision)
        {
            LogLate(logger, version.Id, before, report.Status, report.Revision);
        }
    }

    [LoggerMessage(6101, LogLevel.Warning, "A report names version {VersionId}, which does not exist")]
    private static partial void LogUnknown(ILogger logger, Guid versionId);

    [LoggerMessage(6102, LogLevel.Information, "Version {VersionId} moved from {From} to {To} by revision {Revision}")]
    private static partial void LogMoved(ILogger logger, Guid versionId, VersionStatus from, VersionStatus to, long revision);

    [LoggerMessage(6103, LogLevel.Warning, "Version {VersionId} has ended as {Status}; a report of {Reported} with revision {Revision} changes nothing")]
    private static partial void LogLate(ILogger logger, Guid versionId, VersionStatus status, VersionStatus reported, long revision);
}
