using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Flurrty.ServiceDefaults.Data;

/// <summary>Work on the rows of one account, in one explicit transaction. Reads too: without an account there are no rows.</summary>
public static class AccountTransactions
{
    /// <summary>Runs <paramref name="work"/> in a transaction that sees and changes the rows of this account alone, and commits it.</summary>
    /// <param name="db">The context; it has no transaction yet.</param>
    /// <param name="accountId">The account.</param>
    /// <param name="work">The work; it calls SaveChanges itself.</param>
    /// <param name="cancellationToken">Ends the work; nothing is committed then.</param>
    public static async Task<TResult> AsAccountAsync<TResult>(
        this DbContext db, Guid accountId, Func<CancellationToken, Task<TResult>> work, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(db);
        ArgumentNullException.ThrowIfNull(work);
        await using var transaction = await db.BeginAsAccountAsync(accountId, cancellationToken);
        var result = await work(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return result;
    }

    /// <inheritdoc cref="AsAccountAsync{TResult}"/>
    public static async Task AsAccountAsync(this DbContext db, Guid accountId, Func<CancellationToken, Task> work, CancellationToken cancellationToken) =>
        await db.AsAccountAsync(
            accountId,
            async token =>
            {
                await work(token);
                return true;
            },
            cancellationToken);

    /// <summary>Begins a transaction with the account set by SET LOCAL; the caller commits it.</summary>
    /// <param name="db">The context.</param>
    /// <param name="accountId">The account.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public static async Task<IDbContextTransaction> BeginAsAccountAsync(this DbContext db, Guid accountId, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(db);
        var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        try
        {
            _ = await db.Database.ExecuteSqlRawAsync(
                "SELECT set_config('" + TenantDatabase.AccountSetting + "', {0}, true)", [accountId.ToString()], cancellationToken);
            return transaction;
        }
        catch
        {
            await transaction.DisposeAsync();
            throw;
        }
    }
}
