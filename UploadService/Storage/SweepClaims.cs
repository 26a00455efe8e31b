using Amazon.Runtime;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Flurrty.UploadService.Storage;

/// <summary>Rows that a sweeper claimed with the dispatcher's rights.</summary>
internal static class SweepClaims
{
    /// <summary>Runs a claim function and groups what it claimed by account.</summary>
    public static async Task<IReadOnlyList<(Guid AccountId, Guid[] Ids)>> ClaimAsync(
        this NpgsqlDataSource dispatcher, string sql, object[] parameters, CancellationToken cancellationToken)
    {
        var claimed = new List<(Guid Id, Guid AccountId)>();
        await using var command = dispatcher.CreateCommand(sql);
        foreach (var parameter in parameters)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = parameter });
        }

        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            claimed.Add((reader.GetGuid(0), reader.GetGuid(1)));
        }

        return [.. claimed.GroupBy(static row => row.AccountId, static row => row.Id).Select(static group => (group.Key, group.ToArray()))];
    }

    /// <summary>Whether a sweeper may try again later: the database or the store is away.</summary>
    public static bool IsPassing(Exception problem) => problem is NpgsqlException or DbUpdateException or InvalidOperationException or TimeoutException
        or AmazonServiceException or AmazonClientException or HttpRequestException or IOException or OperationCanceledException;
}
