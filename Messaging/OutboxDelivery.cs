using System.Diagnostics;
using System.Net.Sockets;
using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Hosting;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using RabbitMQ.Client.Exceptions;

namespace Flurrty.Messaging;

/// <summary>
/// Delivers the outbox: claims as dispatcher, reads as the row's account, sends with the broker's confirmation, deletes.
/// Any number of processes may run it. A message may be sent twice (the inbox drops the second), never lost.
/// </summary>
internal sealed partial class OutboxDelivery<TContext>(
    [FromKeyedServices(Dispatcher.Key)] NpgsqlDataSource dispatcher,
    IServiceScopeFactory scopes,
    IBus bus,
    IEndpointNameFormatter names,
    OutboxSignal signal,
    TimeProvider time,
    ILogger<OutboxDelivery<TContext>> logger) : BackgroundService
    where TContext : DbContext
{
    private const int Batch = 100;
    private const int LeaseSeconds = 30;

    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SendTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan PruneInterval = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan InboxLifetime = TimeSpan.FromDays(7);

    private long _lastPrune;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        BackgroundLoop.RunAsync("delivery of the outbox", TurnAsync, time, logger, stoppingToken);

    private static TimeSpan Jitter() => TimeSpan.FromMilliseconds(Random.Shared.Next(500));

    private async Task TurnAsync(CancellationToken cancellationToken)
    {
        while (await DeliverBatchAsync(cancellationToken) == Batch)
        {
            // More may wait.
        }

        await PruneAsync(cancellationToken);
        await signal.WaitAsync(Poll, cancellationToken);
    }

    private async Task<int> DeliverBatchAsync(CancellationToken cancellationToken)
    {
        var claimed = await dispatcher.ClaimAsync("SELECT id, account_id FROM claim_outbox($1, $2)", [Batch, LeaseSeconds], cancellationToken);
        foreach (var account in claimed.GroupBy(static row => row.AccountId, static row => row.Id))
        {
            await DeliverAsync(account.Key, [.. account], cancellationToken);
        }

        return claimed.Count;
    }

    private async Task DeliverAsync(Guid accountId, Guid[] ids, CancellationToken cancellationToken)
    {
        // The loop's own work is nobody's request: each message brings its trace.
        Activity.Current = null;
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<TContext>();
        var messages = await db.AsAccountAsync(
            accountId,
            async token => await db.Set<OutboxMessage>().AsNoTracking().Where(message => ids.Contains(message.Id)).OrderBy(message => message.Sequence).ToListAsync(token),
            cancellationToken);
        var sent = new List<Guid>(messages.Count);
        var failure = await SendAllAsync(messages, sent, cancellationToken);
        await db.AsAccountAsync(
            accountId,
            async token =>
            {
                _ = await db.Set<OutboxMessage>().Where(message => sent.Contains(message.Id)).ExecuteDeleteAsync(token);
                if (failure is not null)
                {
                    var delay = TimeSpan.FromSeconds(1) + Jitter();
                    _ = await db.Database.ExecuteSqlAsync(
                        $"UPDATE outbox_messages SET claimed_until = clock_timestamp() + {delay} WHERE id = ANY({ids})", token);
                }
            },
            cancellationToken);
        if (failure is not null)
        {
            throw new TimeoutException($"The broker did not take {messages.Count - sent.Count} messages: {failure.Message}", failure);
        }
    }

    private async Task<Exception?> SendAllAsync(List<OutboxMessage> messages, List<Guid> sent, CancellationToken cancellationToken)
    {
        foreach (var message in messages)
        {
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            timeout.CancelAfter(SendTimeout);
            using var activity = StartActivity(message);
            try
            {
                await SendAsync(message, timeout.Token);
                sent.Add(message.Id);
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                activity?.SetStatus(ActivityStatusCode.Error, exception.GetType().Name);
                return exception;
            }
        }

        return null;
    }

    /// <summary>Sends a message, or puts one that cannot be sent for a reason of its own with the dead letters. Fails only if the broker is away.</summary>
    private async Task SendAsync(OutboxMessage message, CancellationToken cancellationToken)
    {
        MessageBody body;
        try
        {
            body = MessageBody.Read(message.Type, message.Body);
        }
        catch (Exception exception)
        {
            await SetAsideAsync(message, exception, cancellationToken);
            return;
        }

        try
        {
            await body.SendAsync(bus, message.Id, message.Queue, cancellationToken);
        }
        catch (Exception exception) when (!IsBrokerAway(exception))
        {
            await SetAsideAsync(message, exception, cancellationToken);
        }
    }

    private async Task SetAsideAsync(OutboxMessage message, Exception reason, CancellationToken cancellationToken)
    {
        var aside = new UndeliveredMessage { AccountId = message.AccountId, Queue = message.Queue, Type = message.Type, Body = message.Body };
        await new MessageBody(aside, typeof(UndeliveredMessage)).SendAsync(bus, message.Id, names.Consumer<UndeliveredMessageConsumer>(), cancellationToken);
        MessagingExtensions.SetAside.Add(1);
        LogSetAside(logger, message.Id, message.Type, message.Attempts, reason.GetType().Name);
    }

    // Every other message would fail in the same way.
    private static bool IsBrokerAway(Exception exception) =>
        exception is OperationCanceledException or TimeoutException or ConnectionException or MessageNotAcknowledgedException or RabbitMQClientException or IOException or SocketException
        || (exception.InnerException is { } inner && IsBrokerAway(inner));

    private static Activity? StartActivity(OutboxMessage message) =>
        ActivityContext.TryParse(message.TraceParent, traceState: null, isRemote: true, out var parent)
            ? MessagingExtensions.Source.StartActivity("outbox deliver", ActivityKind.Internal, parent)
            : null;

    private async Task PruneAsync(CancellationToken cancellationToken)
    {
        if (_lastPrune != 0 && time.GetElapsedTime(_lastPrune) < PruneInterval)
        {
            return;
        }

        _lastPrune = time.GetTimestamp();
        await using var command = dispatcher.CreateCommand("SELECT prune_inbox($1)");
        command.Parameters.Add(new NpgsqlParameter { Value = InboxLifetime });
        _ = await command.ExecuteNonQueryAsync(cancellationToken);
    }

    [LoggerMessage(2002, LogLevel.Error, "Message {MessageId} ({Type}, try {Attempts}) cannot be sent and lies with the dead letters of this service: {Reason}")]
    private static partial void LogSetAside(ILogger logger, Guid messageId, string type, int attempts, string reason);
}
