using System.Runtime.CompilerServices;
using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace Flurrty.Messaging;

/// <summary>Sends messages together with the change that causes them: both are committed, or neither is.</summary>
public sealed class Outbox
{
    private readonly OutboxSignal _signal;

    internal Outbox(OutboxSignal signal) => _signal = signal;

    /// <summary>Adds a command to the caller's transaction. It goes to the queue named after its type, such as <c>train-identity</c>.</summary>
    /// <param name="db">The context whose transaction is committed with the change.</param>
    /// <param name="accountId">The account of the change.</param>
    /// <param name="command">The command.</param>
    public void Send<T>(DbContext db, Guid accountId, T command)
        where T : class => Add(db, OutboxMessage.Of(accountId, QueueOf<T>(), command));

    /// <summary>Adds an event to the caller's transaction.</summary>
    /// <inheritdoc cref="Send{T}"/>
    /// <param name="db">The context whose transaction is committed with the change.</param>
    /// <param name="accountId">The account of the change.</param>
    /// <param name="event">The event.</param>
    public void Publish<T>(DbContext db, Guid accountId, T @event)
        where T : class => Add(db, OutboxMessage.Of(accountId, queue: null, @event));

    /// <summary>The queue of a command.</summary>
    public static string QueueOf<T>()
        where T : class => KebabCaseEndpointNameFormatter.Instance.SanitizeName(typeof(T).Name);

    private void Add(DbContext db, OutboxMessage message)
    {
        ArgumentNullException.ThrowIfNull(db);
        db.Add(message);
        _signal.Expect(db);
    }
}

/// <summary>Wakes the delivery when a transaction with messages was committed in this process.</summary>
internal sealed class OutboxSignal : IDisposable
{
    private readonly ConditionalWeakTable<DbContext, object> _expected = [];
    private readonly SemaphoreSlim _raised = new(0, 1);

    public void Expect(DbContext db) => _expected.AddOrUpdate(db, this);

    public void Committed(DbContext? db)
    {
        if (db is not null && _expected.Remove(db))
        {
            Raise();
        }
    }

    public void Forget(DbContext? db)
    {
        if (db is not null)
        {
            _ = _expected.Remove(db);
        }
    }

    public Task WaitAsync(TimeSpan atMost, CancellationToken cancellationToken) => _raised.WaitAsync(atMost, cancellationToken);

    public void Dispose() => _raised.Dispose();

    private void Raise()
    {
        try
        {
            _ = _raised.Release();
        }
        catch (SemaphoreFullException)
        {
            // Raised already.
        }
    }
}
