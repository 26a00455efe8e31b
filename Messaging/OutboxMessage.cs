using System.Diagnostics;
using System.Text.Json;

namespace Flurrty.Messaging;

/// <summary>A message that waits for its delivery; it was committed with the change that caused it. Deleted once the broker confirmed it.</summary>
public sealed class OutboxMessage
{
    /// <summary>The message id that the receiver deduplicates by.</summary>
    public Guid Id { get; private set; }

    /// <summary>The account whose change caused it.</summary>
    public Guid AccountId { get; private set; }

    /// <summary>Order of delivery, by best effort.</summary>
    public long Sequence { get; private set; }

    /// <summary>Queue of a command; null for an event.</summary>
    public string? Queue { get; private set; }

    /// <summary>Type of the message, with its assembly's name.</summary>
    public string Type { get; private set; } = "";

    /// <summary>The message as JSON.</summary>
    public string Body { get; private set; } = "";

    /// <summary>W3C trace context of the change; null when it was not traced.</summary>
    public string? TraceParent { get; private set; }

    /// <summary>When it was committed, by the database's clock.</summary>
    public DateTimeOffset CreatedAt { get; private set; }

    /// <summary>Until when a dispatcher works on it; null when nobody does.</summary>
    public DateTimeOffset? ClaimedUntil { get; private set; }

    /// <summary>How often delivery was tried.</summary>
    public int Attempts { get; private set; }

    internal static OutboxMessage Of<T>(Guid accountId, string? queue, T message) => new()
    {
        Id = Guid.CreateVersion7(),
        AccountId = accountId,
        Queue = queue,
        Type = $"{typeof(T).FullName}, {typeof(T).Assembly.GetName().Name}",
        Body = JsonSerializer.Serialize(message),
        TraceParent = Activity.Current?.Id,
    };
}

/// <summary>A message that a consumer has acted on; kept for seven days.</summary>
public sealed class InboxMessage
{
    /// <summary>The account that the consumer acted as.</summary>
    public Guid AccountId { get; private set; }

    /// <summary>The message's id.</summary>
    public Guid MessageId { get; private set; }

    /// <summary>The consumer's name.</summary>
    public string Consumer { get; private set; } = "";

    /// <summary>When it was consumed, by the database's clock.</summary>
    public DateTimeOffset ReceivedAt { get; private set; }
}
