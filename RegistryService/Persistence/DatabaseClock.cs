using Microsoft.EntityFrameworkCore;

namespace Flurrty.RegistryService.Persistence;

/// <summary>The time that every process agrees on.</summary>
internal static class DatabaseClock
{
    public static async Task<DateTimeOffset> NowAsync(this RegistryDbContext db, CancellationToken cancellationToken) =>
        await db.Database.SqlQuery<DateTimeOffset>($"""SELECT clock_timestamp() AS "Value" """).SingleAsync(cancellationToken);
}
