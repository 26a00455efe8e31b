using System.Collections.Frozen;
using Flurrty.Messaging;
using Flurrty.ServiceDefaults.Problems;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Flurrty.RegistryService.DeadLetters;

/// <summary>
/// Looks into the queues of dead letters. A message is taken without being acknowledged, on a channel for this one look: when the channel ends,
/// in whatever way, the broker puts it back where it was. One look at a time, as two would hide letters from each other.
/// </summary>
internal sealed class DeadLetterQueues(IServiceProvider services, TimeProvider time) : IDisposable
{
    /// <summary>How far into a queue a letter is looked for.</summary>
    public const int MostSearched = 1000;

    private const int NotFound = 404;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly CreateChannelOptions Confirmed = new(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true);

    // By the name of the letters' queue, the queue that they came from.
    private static readonly FrozenDictionary<string, string> Origins = Queues.Consumed
        .SelectMany(static queue => new[] { (Letters: Queues.ErrorsOf(queue), Origin: queue), (Letters: Queues.SkippedOf(queue), Origin: queue) })
        .ToFrozenDictionary(static pair => pair.Letters, static pair => pair.Origin, StringComparer.Ordinal);

    private readonly SemaphoreSlim _turn = new(1, 1);

    public Task<DeadLetterList> ListAsync(int limit, CancellationToken cancellationToken) => UseAsync(
        async (connection, token) =>
        {
            var letters = new List<DeadLetter>();
            var counts = new List<DeadLetterCount>();
            foreach (var queue in Origins.Keys.Order(StringComparer.Ordinal))
            {
                await using var channel = await connection.CreateChannelAsync(cancellationToken: token);
                var waiting = await CountAsync(channel, queue, token);
                if (waiting == 0)
                {
                    continue;
                }

                counts.Add(new DeadLetterCount(queue, waiting));
                while (letters.Count < limit && await channel.BasicGetAsync(queue, autoAck: false, token) is { } message)
                {
                    letters.Add(Envelope.Read(queue, message, time.GetUtcNow()));
                }

                await channel.CloseAsync(token);
            }

            return new DeadLetterList { Letters = letters, Queues = counts, Total = counts.Sum(static count => count.Letters) };
        },
        cancellationToken);

    /// <summary>Puts a letter back into its queue; null when there is none such. If this ends between the two steps the message is there twice, and the inbox drops the second.</summary>
    public Task<DeadLetter?> ReplayAsync(string queue, Guid messageId, CancellationToken cancellationToken) => SettleAsync(
        queue,
        messageId,
        (channel, message, token) => channel.BasicPublishAsync("", Origins[queue], mandatory: true, Envelope.WithoutFault(message.BasicProperties), message.Body, token),
        cancellationToken);

    /// <summary>Removes a letter; null when there is none such.</summary>
    public Task<DeadLetter?> DropAsync(string queue, Guid messageId, CancellationToken cancellationToken) =>
        SettleAsync(queue, messageId, static (_, _, _) => ValueTask.CompletedTask, cancellationToken);

    public void Dispose() => _turn.Dispose();

    private Task<DeadLetter?> SettleAsync(
        string queue, Guid messageId, Func<IChannel, BasicGetResult, CancellationToken, ValueTask> beforehand, CancellationToken cancellationToken) =>
        !Origins.ContainsKey(queue) ? Task.FromResult<DeadLetter?>(null) : UseAsync(
            async (connection, token) =>
            {
                await using var channel = await connection.CreateChannelAsync(Confirmed, token);
                if (await CountAsync(channel, queue, token) == 0 || await FindAsync(channel, queue, messageId, token) is not { } message)
                {
                    return null;
                }

                // First: once the message is acknowledged there is nothing left to fail at.
                var letter = Envelope.Read(queue, message, time.GetUtcNow());
                await beforehand(channel, message, token);
                await channel.BasicAckAsync(message.DeliveryTag, multiple: false, token);
                await channel.CloseAsync(token);
                return letter;
            },
            cancellationToken);

    private static async Task<BasicGetResult?> FindAsync(IChannel channel, string queue, Guid messageId, CancellationToken cancellationToken)
    {
        for (var i = 0; i < MostSearched; i++)
        {
            if (await channel.BasicGetAsync(queue, autoAck: false, cancellationToken) is not { } message)
            {
                return null;
            }

            if (Envelope.IdOf(message) == messageId)
            {
                return message;
            }
        }

        return null;
    }

    // A queue that never held a letter does not exist; the question then ends the channel.
    private static async Task<uint> CountAsync(IChannel channel, string queue, CancellationToken cancellationToken)
    {
        try
        {
            return (await channel.QueueDeclarePassiveAsync(queue, cancellationToken)).MessageCount;
        }
        catch (OperationInterruptedException missing) when (missing.ShutdownReason?.ReplyCode == NotFound)
        {
            return 0;
        }
    }

    private async Task<T> UseAsync<T>(Func<IConnection, CancellationToken, Task<T>> use, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            await _turn.WaitAsync(patience.Token);
            try
            {
                // Made when it is first asked for; the package connects while it blocks.
                var connection = await Task.Run(services.GetRequiredService<IConnection>, patience.Token);
                return await use(connection, patience.Token);
            }
            finally
            {
                _turn.Release();
            }
        }
        catch (PublishException)
        {
            throw new ProblemException(409, "dead_letter_not_taken", "The broker did not take the message back.", "Its queue does not exist or is full. The letter is where it was.");
        }
        catch (Exception exception) when (exception is RabbitMQClientException or IOException or TimeoutException
            || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw new ProblemException(503, "broker_unavailable", "The message broker is away.", "Try again when it is back. No letter is lost.");
        }
    }
}
