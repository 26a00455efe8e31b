using Npgsql;

namespace Flurrty.ServiceDefaults.Data;

/// <summary>Claims of rows with the dispatcher's rights, which sees ids and accounts and nothing else.</summary>
public static class DispatcherClaims
{
    /// <summary>Runs a claim function that returns <c>TABLE (id uuid, account_id uuid)</c>.</summary>
    /// <param name="dispatcher">The dispatcher's data source.</param>
    /// <param name="sql">The call, with <c>$1</c>, <c>$2</c> and so on for the parameters.</param>
    /// <param name="parameters">The parameters.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public static async Task<IReadOnlyList<(Guid Id, Guid AccountId)>> ClaimAsync(
        this NpgsqlDataSource dispatcher, string sql, object[] parameters, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(dispatcher);
        ArgumentNullException.ThrowIfNull(parameters);
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

        return claimed;
    }
}
