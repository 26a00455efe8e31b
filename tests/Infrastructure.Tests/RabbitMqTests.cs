using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Flurrty.Infrastructure.Tests;

public sealed class RabbitMqTests : NativeServerRules
{
    protected override string RequiredVariable => "FLURRTY_RABBITMQ_USERS";

    internal override NativeServer Create() => new RabbitMqServer();

    [Fact]
    public async Task Users_OnlyThoseNamed_WithTheirPasswordsGetIn()
    {
        await using var server = new RabbitMqServer();
        await server.StartAsync();

        await Assert.ThrowsAsync<BrokerUnreachableException>(() => server.ConnectAsync("guest", "guest"));
        await Assert.ThrowsAsync<BrokerUnreachableException>(() => server.ConnectAsync("uploads", "wrong"));
        await server.StopAsync();
        server.UploadsPassword = "second";
        await server.StartAsync();
        await Assert.ThrowsAsync<BrokerUnreachableException>(() => server.ConnectAsync("uploads", "first"));
    }

    [Fact]
    public async Task Start_DataOfAnotherSeries_PutsItAsideAndServes()
    {
        await using var server = new RabbitMqServer();
        await server.StartAsync();
        await server.StopAsync();
        var series = Path.Combine(server.Data, "series");
        var installed = await File.ReadAllTextAsync(series);
        await File.WriteAllTextAsync(series, "2.8\n");

        await server.StartAsync();

        Assert.Contains("was made by RabbitMQ 2.8", server.Output, StringComparison.Ordinal);
        Assert.True(Directory.Exists(Path.Combine(server.Data, "mnesia-2.8")));
        Assert.Equal(installed, await File.ReadAllTextAsync(series));

        // The next start is one like any other.
        await server.StopAsync();
        await server.StartAsync();
        Assert.DoesNotContain("was made by", server.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Readiness_OtherQueues_AreForbidden()
    {
        await using var server = new RabbitMqServer();
        await server.StartAsync();
        await using var connection = await server.ConnectAsync("readiness", "look");

        await RabbitMqServer.PublishAndGetAsync(connection);

        await using var channel = await connection.CreateChannelAsync();
        var refused = await Assert.ThrowsAsync<OperationInterruptedException>(() => channel.QueueDeclareAsync("train-identity"));
        Assert.True(refused.ShutdownReason is { ReplyCode: Constants.AccessRefused }, refused.Message);
    }

    [Fact]
    public async Task Kill_EveryProcess_MessagesConfirmedInASettledQueueAreThere()
    {
        await using var server = new RabbitMqServer();
        await server.StartAsync();
        await using (var connection = await server.ConnectAsync("uploads", "first"))
        {
            await using var channel = await connection.CreateChannelAsync();
            await channel.QueueDeclareAsync("kept", durable: true, exclusive: false, autoDelete: false);
        }

        // The broker writes a new queue down a moment after it has said that the queue is there; a message it writes down first.
        await server.StopAsync();
        await server.StartAsync();
        await using (var connection = await server.ConnectAsync("uploads", "first"))
        {
            await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true));
            for (var i = 0; i < 20; i++)
            {
                await channel.BasicPublishAsync(string.Empty, "kept", mandatory: true, new BasicProperties { Persistent = true }, new byte[] { 1 });
            }

            await server.KillEverythingAsync();
        }

        await server.StartAsync();

        await using var again = await server.ConnectAsync("uploads", "first");
        await using var reader = await again.CreateChannelAsync();
        Assert.Equal(20u, await reader.MessageCountAsync("kept"));
    }

    [Theory]
    [InlineData("schema.DAT")]
    [InlineData("rabbit_vhost.DCD")]
    [InlineData("rabbit_durable_queue.DCD")]
    public async Task Kill_DuringTheFirstStart_TheNextStartServes(string table)
    {
        await using var server = new RabbitMqServer();

        await server.StartAndKillAsync(() => File.Exists(Path.Combine(server.Data, "mnesia", "rabbit@localhost", table)));

        await server.StartAsync();
    }

    [Fact]
    public async Task Start_DataDeleted_HasTheSameUsers()
    {
        await using var server = new RabbitMqServer();
        await server.StartAsync();
        await server.StopAsync();
        Directory.Delete(server.Data, recursive: true);

        await server.StartAsync();

        await using var connection = await server.ConnectAsync("readiness", "look");
        await RabbitMqServer.PublishAndGetAsync(connection);
    }
}
