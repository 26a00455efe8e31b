using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Flurrty.ServiceDefaults.Data;

/// <summary>Failures of the database that pass: a lost connection, a server that starts, a deadlock, a serialization conflict.</summary>
public static class TransientFailures
{
    /// <summary>Whether the database failed in a way that may pass. Entity Framework wraps such a failure, sometimes twice.</summary>
    /// <param name="exception">The failure.</param>
    public static bool IsTransientDatabaseFailure(this Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);

        // EF's strategy that never repeats says InvalidOperationException of them ("Consider enabling transient error resiliency").
        return exception switch
        {
            NpgsqlException { IsTransient: true } => true,
            InvalidOperationException or DbUpdateException => exception.InnerException?.IsTransientDatabaseFailure() == true,
            _ => false,
        };
    }
}
