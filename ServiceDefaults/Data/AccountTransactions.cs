using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Flurrty.ServiceDefaults.Data;

/// <summary>Work on the rows of one account, in one explicit transaction. Reads too: without an account there are no rows.</summary>
public static class AccountTransactions
{
    private const int Tries = 3;

    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(200);

    /// <summary>
    /// Runs <paramref name="work"/> in a transaction that sees and changes the rows of this account alone, and commits it. What a deadlock or a lost
    /// connection ended before the commit is repeated at most twice, if the context tracked nothing when it was called.
    /// A failure of the commit itself is not: whether it took effect is unknown.
    /// </summary>
    /// <param name="db">The context; it has no transaction yet.</param>
    /// <param name="accountId">The account.</param>
    /// <param name="work">The work; it calls SaveChanges itself. It may run more than once, so it changes rows alone and adds to nothing that outlives it.</param>
    /// <param name="cancellationToken">Ends the work; nothing is committed then.</param>
    public static async Task<TResult> AsAccountAsync<TResult>(
        this DbContext db, Guid accountId, Func<CancellationToken, Task<TResult>> work, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(db);
        ArgumentNullException.ThrowIfNull(work);
        var isRepeatable = !db.ChangeTracker.Entries().Any();
        for (var attempt = 1; ; attempt++)
        {
            var isCommitting = false;
            try
            {
                await using var transaction = await db.BeginAsAccountAsync(accountId, cancellationToken);
                var result = await work(cancellationToken);
                isCommitting = true;
                await transaction.CommitAsync(cancellationToken);
                return result;
            }
            catch (Exception exception) when (isRepeatable && !isCommitting && attempt < Tries && exception.IsTransientDatabaseFailure())
            {
                db.ChangeTracker.Clear();
                await Task.Delay(LongestPause * Random.Shared.NextDouble(), cancellationToken);
            }
        }
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
