using System.Text.Json;
using MassTransit;

namespace Flurrty.Messaging;

/// <summary>A message that was kept as JSON.</summary>
internal sealed record MessageBody(object Value, Type Type)
{
    /// <summary>Reads a message. Fails in many ways if this version does not know the type or the JSON does not fit it.</summary>
    public static MessageBody Read(string type, string json)
    {
        var known = System.Type.GetType(type, throwOnError: true)!;
        return new MessageBody(JsonSerializer.Deserialize(json, known) ?? throw new JsonException("The message is empty."), known);
    }

    /// <summary>Sends it to its queue, or publishes it when it has none, with the broker's confirmation.</summary>
    public async Task SendAsync(IBus bus, Guid id, string? queue, CancellationToken cancellationToken)
    {
        if (queue is null)
        {
            await bus.Publish(Value, Type, context => context.MessageId = id, cancellationToken);
        }
        else
        {
            var endpoint = await bus.GetSendEndpoint(new Uri($"queue:{queue}"));
            await endpoint.Send(Value, Type, Pipe.Execute<SendContext>(context => context.MessageId = id), cancellationToken);
        }
    }
}
