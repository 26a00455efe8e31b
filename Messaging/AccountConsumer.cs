using Flurrty.ServiceDefaults.Data;
using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace Flurrty.Messaging;

/// <summary>
/// A consumer that acts as the message's account, once per message id: the inbox row, the changes and the messages they cause
/// are committed together. No remote call belongs in here; what takes long is started by a row.
/// </summary>
/// <typeparam name="TMessage">The message.</typeparam>
/// <typeparam name="TContext">The service's database.</typeparam>
/// <param name="db">The database.</param>
public abstract class AccountConsumer<TMessage, TContext>(TContext db) : IConsumer<TMessage>
    where TMessage : class
    where TContext : DbContext
{
    /// <summary>The database, inside the account's transaction.</summary>
    protected TContext Db { get; } = db;

    /// <inheritdoc/>
    public async Task Consume(ConsumeContext<TMessage> context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var cancellationToken = context.CancellationToken;
        var accountId = AccountOf(context.Message);
        var messageId = context.MessageId ?? throw new InvalidOperationException("A message without id cannot be consumed once.");
        await using (var transaction = await Db.BeginAsAccountAsync(accountId, cancellationToken))
        {
            var isNew = await Db.Database.ExecuteSqlAsync(
                $"INSERT INTO inbox_messages (account_id, message_id, consumer) VALUES ({accountId}, {messageId}, {GetType().Name}) ON CONFLICT DO NOTHING",
                cancellationToken);
            if (isNew == 0)
            {
                return;
            }

            await HandleAsync(context.Message, cancellationToken);
            _ = await Db.SaveChangesAsync(cancellationToken);
            await transaction.CommitAsync(cancellationToken);
        }

        await CommittedAsync(context.Message, cancellationToken);
    }

    /// <summary>The account that the message names.</summary>
    /// <param name="message">The message.</param>
    protected abstract Guid AccountOf(TMessage message);

    /// <summary>Acts on the message, in the account's transaction.</summary>
    /// <param name="message">The message.</param>
    /// <param name="cancellationToken">Ends the work; nothing is committed then and the broker delivers again.</param>
    protected abstract Task HandleAsync(TMessage message, CancellationToken cancellationToken);

    /// <summary>Called after the commit, such as to wake a loop of this process. It may never be called: a crash can come before.</summary>
    /// <param name="message">The message.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    protected virtual Task CommittedAsync(TMessage message, CancellationToken cancellationToken) => Task.CompletedTask;
}
