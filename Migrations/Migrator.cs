using System.Diagnostics;
using System.Net.Sockets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Flurrty.Migrations;

/// <summary>Brings every schema to its present form, as its owner.</summary>
internal sealed partial class Migrator(IConfiguration configuration, IOptions<MigratorOptions> options, TimeProvider time, TextWriter errors, ILogger<Migrator> logger)
{
    private static readonly ActivitySource Source = new("Flurrty.Migrations");
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    /// <summary>Brings all schemas to their present form. None is touched while the history of one does not lead there.</summary>
    public async Task<MigrationOutcome> MigrateAsync(IReadOnlyList<Schema> schemas, CancellationToken cancellationToken)
    {
        var outcome = await ForEachAsync("judge", (schema, source) => JudgeAsync(schema, source, cancellationToken));
        return outcome == MigrationOutcome.Migrated ? await ForEachAsync("migrate", (schema, source) => MigrateAsync(schema, source, cancellationToken)) : outcome;

        async Task<MigrationOutcome> ForEachAsync(string what, Func<Schema, NpgsqlDataSource, Task<MigrationOutcome>> act) =>
            (await Task.WhenAll(schemas.Select(schema => Task.Run(() => TryAsync(what, schema, act, cancellationToken), cancellationToken)))).Max();
    }

    private async Task<MigrationOutcome> TryAsync(string what, Schema schema, Func<Schema, NpgsqlDataSource, Task<MigrationOutcome>> act, CancellationToken cancellationToken)
    {
        using var activity = Source.StartActivity($"{what} {schema.Database}");
        try
        {
            var name = $"{schema.Database}-owner";
            var connection = configuration.GetConnectionString(name) ?? throw new InvalidOperationException($"ConnectionStrings:{name} is missing.");
            await using var source = NpgsqlDataSource.Create(connection);
            return await act(schema, source);
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            activity?.SetStatus(ActivityStatusCode.Error, exception.GetType().Name);
            LogFailed(logger, schema.Database, exception);
            return MigrationOutcome.Failed;
        }
        catch (OperationCanceledException)
        {
            LogStopped(logger, schema.Database);
            return MigrationOutcome.Failed;
        }
    }

    private async Task<MigrationOutcome> JudgeAsync(Schema schema, NpgsqlDataSource source, CancellationToken cancellationToken) =>
        schema.Refuse(await WaitForHistoryAsync(schema, source, cancellationToken)) is { } reason ? Refuse(schema, reason) : MigrationOutcome.Migrated;

    private async Task<MigrationOutcome> MigrateAsync(Schema schema, NpgsqlDataSource source, CancellationToken cancellationToken)
    {
        var applied = await ReadHistoryAsync(source, cancellationToken);
        var missing = schema.Migrations.Except(applied, StringComparer.Ordinal).ToArray();
        if (applied.Except(schema.Migrations, StringComparer.Ordinal).Any())
        {
            LogNewer(logger, schema.Database);
        }

        if (missing.Length == 0)
        {
            LogCurrent(logger, schema.Database, applied.Count);
            return MigrationOutcome.Migrated;
        }

        await using var context = schema.Open(source);
        try
        {
            await context.Database.MigrateAsync(cancellationToken);
        }
        catch (PostgresException exception) when (IsOtherForm(exception))
        {
            return Refuse(schema, $"is not in the form that its history tells of ({exception.MessageText})");
        }

        LogMigrated(logger, schema.Database, string.Join(", ", missing));
        return MigrationOutcome.Migrated;
    }

    private MigrationOutcome Refuse(Schema schema, string reason)
    {
        var anew = options.Value.DataDirectory is { } directory
            ? $"or start anew: stop this topology and remove its data with rm -rf '{directory}'."
            : "or start anew with empty databases.";
        errors.WriteLine($"migrations: The database {schema.Database} {reason}: no migration leads from there to here. Go on with the version that made it, {anew}");
        return MigrationOutcome.Refused;
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

    // Something is there that should not be, or the other way round; each migration is a transaction of its own and left nothing.
    private static bool IsOtherForm(PostgresException exception) => exception.SqlState is
        PostgresErrorCodes.DuplicateTable or PostgresErrorCodes.DuplicateColumn or PostgresErrorCodes.DuplicateObject or PostgresErrorCodes.DuplicateFunction
        or PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedColumn or PostgresErrorCodes.UndefinedObject or PostgresErrorCodes.UndefinedFunction;

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
