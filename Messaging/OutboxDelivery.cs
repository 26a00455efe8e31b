using System.Diagnostics;
using Flurrty.ServiceDefaults.Data;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Flurrty.Messaging;

/// <summary>
/// Delivers the outbox: claims as dispatcher, reads as the row's account, sends with the broker's confirmation, deletes.
/// Any number of processes may run it. A message may be sent twice (the inbox drops the second), never lost.
/// </summary>
internal sealed partial class OutboxDelivery<TContext>(
    [FromKeyedServices(Dispatcher.Key)] NpgsqlDataSource dispatcher,
    IServiceScopeFactory scopes,
    IBus bus,
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

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                while (await DeliverBatchAsync(stoppingToken) == Batch)
                {
                    // More may wait.
                }

                await PruneAsync(stoppingToken);
                await signal.WaitAsync(Poll, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception) when (exception is NpgsqlException or DbUpdateException or InvalidOperationException or TimeoutException)
            {
                LogPaused(logger, exception.Message);
                await Task.Delay(Poll + Jitter(), time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private static TimeSpan Jitter() => TimeSpan.FromMilliseconds(Random.Shared.Next(500));

    private async Task<int> DeliverBatchAsync(CancellationToken cancellationToken)
    {
        var claimed = new List<(Guid Id, Guid AccountId)>();
        await using (var command = dispatcher.CreateCommand("SELECT id, account_id FROM claim_outbox($1, $2)"))
        {
            command.Parameters.Add(new NpgsqlParameter { Value = Batch });
            command.Parameters.Add(new NpgsqlParameter { Value = LeaseSeconds });
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
            {
                claimed.Add((reader.GetGuid(0), reader.GetGuid(1)));
            }
        }

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

    private static Activity? StartActivity(OutboxMessage message) =>
        ActivityContext.TryParse(message.TraceParent, traceState: null, isRemote: true, out var parent)
            ? MessagingExtensions.Source.StartActivity("outbox deliver", ActivityKind.Internal, parent)
            : null;

    private async Task SendAsync(OutboxMessage message, CancellationToken cancellationToken)
    {
        var body = message.Read();
        if (message.Queue is null)
        {
            await bus.Publish(body, message.MessageType(), context => context.MessageId = message.Id, cancellationToken);
        }
        else
        {
            var endpoint = await bus.GetSendEndpoint(new Uri($"queue:{message.Queue}"));
            await endpoint.Send(body, message.MessageType(), Pipe.Execute<SendContext>(context => context.MessageId = message.Id), cancellationToken);
        }
    }

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

    [LoggerMessage(2001, LogLevel.Warning, "Delivery of the outbox pauses: {Reason}")]
    private static partial void LogPaused(ILogger logger, string reason);
}
