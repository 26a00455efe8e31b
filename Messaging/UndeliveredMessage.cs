using MassTransit;

namespace Flurrty.Messaging;

/// <summary>
/// A row of the outbox that could not be sent for a reason of its own, such as a type that this version does not know. It left the outbox,
/// so that it delays nobody, and lies with the service's dead letters until an operator replays or drops it.
/// </summary>
internal sealed record UndeliveredMessage
{
    /// <summary>The account whose change caused it.</summary>
    public required Guid AccountId { get; init; }

    /// <summary>Queue of a command; null for an event.</summary>
    public string? Queue { get; init; }

    /// <summary>Type of the message, with its assembly's name.</summary>
    public required string Type { get; init; }

    /// <summary>The message as JSON.</summary>
    public required string Body { get; init; }
}

/// <summary>Tries once more to send what left the outbox, under the id that it had there; it fails into the dead letters of the service, whose types these are.</summary>
internal sealed class UndeliveredMessageConsumer(IBus bus) : IConsumer<UndeliveredMessage>
{
    public Task Consume(ConsumeContext<UndeliveredMessage> context)
    {
        var (id, message) = (context.MessageId ?? throw new InvalidOperationException("A message without id cannot be consumed once."), context.Message);
        return MessageBody.Read(message.Type, message.Body).SendAsync(bus, id, message.Queue, context.CancellationToken);
    }
}
