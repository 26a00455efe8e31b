using System.Diagnostics;
using System.Text;
using Flurrty.NativeInfrastructure;
using Flurrty.ServiceDefaults.Data;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Flurrty.Messaging.Tests;

/// <summary>The outbox and the inbox over a real PostgreSQL and a real RabbitMQ.</summary>
[Collection(Servers.Name)]
public sealed class OutboxTests(Servers servers)
{
    private static readonly Guid Account = Guid.NewGuid();

    [Fact]
    public async Task Send_CommittedWithTheChange_IsConsumedAndLeavesTheOutbox()
    {
        using var host = await StartAsync();
        var note = Guid.NewGuid();
        await SendAsync(host, note, commit: true);
        await WaitForNoteAsync(host, note);
        await Deadline.WaitAsync("the outbox is empty", async () => await CountAsync(host, db => db.Set<OutboxMessage>().CountAsync()) == 0);
        await host.StopAsync();
    }

    [Fact]
    public async Task Send_RolledBack_IsNeverConsumed()
    {
        using var host = await StartAsync();
        var lost = Guid.NewGuid();
        var kept = Guid.NewGuid();
        await SendAsync(host, lost, commit: false);
        await SendAsync(host, kept, commit: true);
        // What was sent later has arrived, so the earlier one would have.
        await WaitForNoteAsync(host, kept);
        Assert.Equal(0, await CountAsync(host, db => db.Notes.CountAsync(row => row.Id == lost)));
        await host.StopAsync();
    }

    [Theory]
    [InlineData("Flurrty.Messaging.Tests.Gone, Flurrty.Messaging.Tests", "{}")]
    [InlineData("Flurrty.Gone, Flurrty.Gone", "{}")]
    [InlineData("Flurrty.Messaging.Tests.WriteNote, Flurrty.Messaging.Tests", """{"NoteId": 1}""")]
    public async Task Row_ThatCannotBeSent_StepsAsideIntoTheDeadLettersAndDelaysNobody(string type, string body)
    {
        using var host = await StartAsync();
        var id = Guid.NewGuid();
        await using (var scope = host.Services.CreateAsyncScope())
        {
            var db = scope.ServiceProvider.GetRequiredService<NotesContext>();
            await db.AsAccountAsync(
                Account,
                token => db.Database.ExecuteSqlAsync(
                    $"INSERT INTO outbox_messages (id, account_id, queue, type, body) VALUES ({id}, {Account}, 'write-note', {type}, {body}::jsonb)", token),
                CancellationToken.None);
        }

        // Of the same account, and behind it.
        var note = Guid.NewGuid();
        await SendAsync(host, note, commit: true);
        await WaitForNoteAsync(host, note);
        await Deadline.WaitAsync("the outbox is empty", async () => await CountAsync(host, db => db.Set<OutboxMessage>().CountAsync()) == 0);

        await using var connection = await new ConnectionFactory { Uri = new Uri(servers.Broker.For(NotesContext.Name)) }.CreateConnectionAsync();
        var letter = await Deadline.WaitAsync("the message lies with the dead letters", () => TakeAsync(connection, "notes-undelivered-message_error"), static found => found is not null);
        Assert.Equal(id.ToString(), letter!.BasicProperties.MessageId);
        Assert.Contains(type, Encoding.UTF8.GetString(letter.Body.Span), StringComparison.Ordinal);
        await host.StopAsync();
    }

    [Fact]
    public async Task Message_ThatLeftTheOutbox_IsDeliveredOnceWhenItCanBeReadAgain()
    {
        using var host = await StartAsync();
        var note = Guid.NewGuid();
        var aside = new UndeliveredMessage
        {
            AccountId = Account,
            Queue = Outbox.QueueOf<WriteNote>(),
            Type = "Flurrty.Messaging.Tests.WriteNote, Flurrty.Messaging.Tests",
            Body = $$"""{"AccountId": "{{Account}}", "NoteId": "{{note}}", "Text": "late"}""",
        };
        var id = Guid.NewGuid();
        var endpoint = await host.Services.GetRequiredService<IBus>().GetSendEndpoint(new Uri("queue:notes-undelivered-message"));
        for (var i = 0; i < 2; i++)
        {
            await endpoint.Send(aside, Pipe.Execute<SendContext>(context => context.MessageId = id));
        }

        await WaitForNoteAsync(host, note);
        Assert.Equal(1, await CountAsync(host, db => db.Set<InboxMessage>().CountAsync(row => row.MessageId == id)));
        await host.StopAsync();
    }

    [Fact]
    public async Task Consume_OfTheSameMessageTwice_ActsOnce()
    {
        using var host = await StartAsync();
        var note = Guid.NewGuid();
        var message = new WriteNote { AccountId = Account, NoteId = note, Text = "twice" };
        var id = NewId.NextGuid();
        var bus = host.Services.GetRequiredService<IBus>();
        var endpoint = await bus.GetSendEndpoint(new Uri($"queue:{Outbox.QueueOf<WriteNote>()}"));
        for (var i = 0; i < 2; i++)
        {
            await endpoint.Send(message, Pipe.Execute<SendContext>(context => context.MessageId = id));
        }

        // A message of its own, behind the two in the same queue.
        var last = Guid.NewGuid();
        await SendAsync(host, last, commit: true);
        await WaitForNoteAsync(host, last);
        await WaitForNoteAsync(host, note);
        Assert.Equal(1, await CountAsync(host, db => db.Set<InboxMessage>().CountAsync(row => row.MessageId == id)));
        await host.StopAsync();
    }

    [Fact]
    public async Task Send_WhileTheBrokerIsAway_ArrivesWhenItIsBack()
    {
        await using var broker = await NativeRabbitMq.StartAsync(NotesContext.Name);
        using var host = await StartAsync(broker.For(NotesContext.Name));
        var before = Guid.NewGuid();
        await SendAsync(host, before, commit: true);
        await WaitForNoteAsync(host, before);
        await broker.StopAsync();
        var during = Guid.NewGuid();
        await SendAsync(host, during, commit: true);
        Assert.Equal(0, await CountAsync(host, db => db.Notes.CountAsync(row => row.Id == during)));
        await broker.StartAgainAsync();
        await WaitForNoteAsync(host, during);
        await host.StopAsync();
    }

    [Fact]
    public async Task Delivery_OfAChange_KeepsItsTrace()
    {
        using var source = new ActivitySource("Flurrty.Messaging.Tests");
        var delivered = new TaskCompletionSource<ActivityTraceId>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var activityListener = new ActivityListener
        {
            ShouldListenTo = static candidate => candidate.Name is "Flurrty.Messaging.Tests" or "Flurrty.Messaging",
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity =>
            {
                if (activity.OperationName == "outbox deliver")
                {
                    delivered.TrySetResult(activity.TraceId);
                }
            },
        };
        ActivitySource.AddActivityListener(activityListener);
        using var host = await StartAsync();
        using var request = source.StartActivity("request");
        Assert.NotNull(request);
        await SendAsync(host, Guid.NewGuid(), commit: true);
        Assert.Equal(request.TraceId, await delivered.Task.WaitAsync(Deadline.Step));
        await host.StopAsync();
    }

    [Fact]
    public async Task Tables_OfMessaging_HideRowsOfOtherAccounts()
    {
        using var host = await StartAsync();
        var note = Guid.NewGuid();
        await SendAsync(host, note, commit: true);
        await WaitForNoteAsync(host, note);
        Assert.True(await CountAsync(host, db => db.Set<InboxMessage>().CountAsync()) > 0);
        Assert.Equal(0, await CountAsync(host, db => db.Set<InboxMessage>().CountAsync(), Guid.NewGuid()));
        await host.StopAsync();
    }

    private static async Task<BasicGetResult?> TakeAsync(IConnection connection, string queue)
    {
        await using var channel = await connection.CreateChannelAsync();
        try
        {
            return await channel.BasicGetAsync(queue, autoAck: true);
        }
        catch (OperationInterruptedException)
        {
            // There is no such queue yet.
            return null;
        }
    }

    private static async Task SendAsync(IHost host, Guid note, bool commit)
    {
        await using var scope = host.Services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<NotesContext>();
        await using var transaction = await db.BeginAsAccountAsync(Account, CancellationToken.None);
        scope.ServiceProvider.GetRequiredService<Outbox>().Send(db, Account, new WriteNote { AccountId = Account, NoteId = note, Text = "hello" });
        await db.SaveChangesAsync();
        if (commit)
        {
            await transaction.CommitAsync();
        }
    }

    private static Task WaitForNoteAsync(IHost host, Guid note) =>
        Deadline.WaitAsync($"note {note} was written", async () => await CountAsync(host, db => db.Notes.CountAsync(row => row.Id == note)) == 1);

    private static async Task<int> CountAsync(IHost host, Func<NotesContext, Task<int>> count, Guid? account = null)
    {
        await using var scope = host.Services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<NotesContext>();
        return await db.AsAccountAsync(account ?? Account, _ => count(db), CancellationToken.None);
    }

    private async Task<IHost> StartAsync(string? broker = null)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["ConnectionStrings:notes"] = servers.Database.App(NotesContext.Name),
            ["ConnectionStrings:notes-dispatcher"] = servers.Database.Dispatcher(NotesContext.Name),
            ["ConnectionStrings:messaging"] = broker ?? servers.Broker.For(NotesContext.Name),
        });
        builder.AddTenantDatabase<NotesContext>(NotesContext.Name);
        builder.AddFlurrtyMessaging<NotesContext>(NotesContext.Name, static bus => bus.AddConsumer<WriteNoteConsumer, WriteNoteDefinition>());
        var host = builder.Build();
        await host.StartAsync();
        // A bus that is stopped before it has started goes on starting, and would take the next test's messages.
        await host.Services.GetRequiredService<IBusControl>().WaitForHealthStatus(BusHealthStatus.Healthy, Deadline.Journey);
        return host;
    }
}
