using System.Globalization;
using RabbitMQ.Client;

namespace Flurrty.Infrastructure.Tests;

internal sealed class RabbitMqServer() : NativeServer("rabbitmq.sh")
{
    internal string UploadsPassword { get; set; } = "first";

    protected override IEnumerable<KeyValuePair<string, string>> Variables =>
    [
        new("FLURRTY_RABBITMQ_DATA", Data),
        new("FLURRTY_RABBITMQ_PORT", Port.ToString(CultureInfo.InvariantCulture)),
        new("FLURRTY_RABBITMQ_USERS", $"uploads:{UploadsPassword} readiness:look"),
    ];

    internal Task<IConnection> ConnectAsync(string user, string password) =>
        new ConnectionFactory { HostName = "127.0.0.1", Port = Port, UserName = user, Password = password, AutomaticRecoveryEnabled = false }.CreateConnectionAsync();

    internal override async Task UseAsync()
    {
        await using var connection = await ConnectAsync("uploads", UploadsPassword);
        await PublishAndGetAsync(connection);
    }

    internal static async Task PublishAndGetAsync(IConnection connection)
    {
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true));
        var queue = (await channel.QueueDeclareAsync()).QueueName;
        await channel.BasicPublishAsync(string.Empty, queue, mandatory: true, new byte[] { 1 });
        Assert.NotNull(await channel.BasicGetAsync(queue, autoAck: true));
    }
}
