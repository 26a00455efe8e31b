using Microsoft.EntityFrameworkCore;

namespace Flurrty.UploadService.Persistence;

/// <summary>The clock that all processes share.</summary>
internal static class DatabaseClock
{
    public static async Task<DateTimeOffset> NowAsync(this UploadsContext db, CancellationToken cancellationToken) =>
        await db.Database.SqlQuery<DateTimeOffset>($"SELECT clock_timestamp() AS \"Value\"").SingleAsync(cancellationToken);
}
