using System.Diagnostics;
using System.Net.Sockets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Flurrty.Migrations;

/// <summary>Brings every schema to its present form, as its owner.</summary>
internal sealed partial class Migrator(IConfiguration configuration, IOptions<MigratorOptions> options, TimeProvider time, ILogger<Migrator> logger)
{
    private static readonly ActivitySource Source = new("Flurrty.Migrations");
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    /// <summary>Gives whether every schema is in its present form.</summary>
    public async Task<bool> MigrateAsync(IEnumerable<Schema> schemas, CancellationToken cancellationToken)
    {
        var results = await Task.WhenAll(schemas.Select(schema => Task.Run(() => TryMigrateAsync(schema, cancellationToken), cancellationToken)));
        return Array.TrueForAll(results, migrated => migrated);
    }

    private async Task<bool> TryMigrateAsync(Schema schema, CancellationToken cancellationToken)
    {
        using var activity = Source.StartActivity($"migrate {schema.Database}");
        try
        {
            await MigrateAsync(schema, cancellationToken);
            return true;
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            activity?.SetStatus(ActivityStatusCode.Error, exception.GetType().Name);
            LogFailed(logger, schema.Database, exception);
            return false;
        }
        catch (OperationCanceledException)
        {
            LogStopped(logger, schema.Database);
            return false;
        }
    }

    private async Task MigrateAsync(Schema schema, CancellationToken cancellationToken)
    {
        var name = $"{schema.Database}-owner";
        var connection = configuration.GetConnectionString(name) ?? throw new InvalidOperationException($"ConnectionStrings:{name} is missing.");
        await using var source = NpgsqlDataSource.Create(connection);
        var applied = await WaitForHistoryAsync(schema, source, cancellationToken);
        var missing = schema.Migrations.Except(applied, StringComparer.Ordinal).ToArray();
        if (applied.Except(schema.Migrations, StringComparer.Ordinal).Any())
        {
            LogNewer(logger, schema.Database);
        }

        if (missing.Length == 0)
        {
            LogCurrent(logger, schema.Database, applied.Count);
            return;
        }

        await using var context = schema.Open(source);
        await context.Database.MigrateAsync(cancellationToken);
        LogMigrated(logger, schema.Database, string.Join(", ", missing));
    }

    private async Task<IReadOnlyCollection<string>> WaitForHistoryAsync(Schema schema, NpgsqlDataSource source, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        while (true)
        {
            try
            {
                return await ReadHistoryAsync(source, cancellationToken);
            }
            catch (Exception exception) when (MayPass(exception) && time.GetElapsedTime(start) < options.Value.Patience)
            {
                LogWaiting(logger, schema.Database, exception.Message);
                await Task.Delay(Pause, time, cancellationToken);
            }
        }
    }

    private static async Task<IReadOnlyCollection<string>> ReadHistoryAsync(NpgsqlDataSource source, CancellationToken cancellationToken)
    {
        try
        {
            await using var command = source.CreateCommand("""SELECT "MigrationId" FROM "__EFMigrationsHistory" ORDER BY 1""");
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            var applied = new List<string>();
            while (await reader.ReadAsync(cancellationToken))
            {
                applied.Add(reader.GetString(0));
            }

            return applied;
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UndefinedTable)
        {
            return [];
        }
    }

    // A server that is starting refuses connections, or has not made its databases and roles yet.
    private static bool MayPass(Exception exception) => exception switch
    {
        PostgresException { SqlState: PostgresErrorCodes.InvalidCatalogName or PostgresErrorCodes.InvalidAuthorizationSpecification or PostgresErrorCodes.InvalidPassword } => true,
        NpgsqlException { IsTransient: true } => true,
        NpgsqlException { InnerException: SocketException or IOException } => true,
        _ => false,
    };

    [LoggerMessage(5001, LogLevel.Information, "The schema of {Database} is current: {Count} migrations")]
    private static partial void LogCurrent(ILogger logger, string database, int count);

    [LoggerMessage(5002, LogLevel.Information, "The schema of {Database} was migrated by {Migrations}")]
    private static partial void LogMigrated(ILogger logger, string database, string migrations);

    [LoggerMessage(5003, LogLevel.Error, "The schema of {Database} could not be migrated")]
    private static partial void LogFailed(ILogger logger, string database, Exception exception);

    [LoggerMessage(5004, LogLevel.Information, "Waiting for the database {Database}: {Reason}")]
    private static partial void LogWaiting(ILogger logger, string database, string reason);

    [LoggerMessage(5005, LogLevel.Warning, "The schema of {Database} is newer than this program: it has migrations that are not known here")]
    private static partial void LogNewer(ILogger logger, string database);

    [LoggerMessage(5006, LogLevel.Warning, "The migration of {Database} was stopped")]
    private static partial void LogStopped(ILogger logger, string database);
}
