namespace Microsoft.Extensions.Hosting;

/// <summary>Settings of <see cref="AspireEFPostgreSqlExtensions"/>, section <c>Aspire:Npgsql:EntityFrameworkCore:PostgreSQL[:{TContext}]</c>.</summary>
public sealed class NpgsqlEntityFrameworkCorePostgreSQLSettings
{
    /// <summary>Connection string; <c>ConnectionStrings:{name}</c> wins over it.</summary>
    public string? ConnectionString { get; set; }

    /// <summary>Turns off retries of failed commands.</summary>
    public bool DisableRetry { get; set; }

    /// <summary>Turns off the health check.</summary>
    public bool DisableHealthChecks { get; set; }

    /// <summary>Turns off tracing.</summary>
    public bool DisableTracing { get; set; }

    /// <summary>Turns off metrics.</summary>
    public bool DisableMetrics { get; set; }

    /// <summary>Command time-out in seconds; null takes Npgsql's default.</summary>
    public int? CommandTimeout { get; set; }
}
