using RabbitMQ.Client;

namespace Flurrty.NativeInfrastructure;

/// <summary>A RabbitMQ node with a user for each service.</summary>
public sealed class NativeRabbitMq : IAsyncDisposable
{
    private readonly NativeServer _server;
    private readonly int _port;
    private readonly Dictionary<string, string> _passwords;

    private NativeRabbitMq(NativeServer server, int port, Dictionary<string, string> passwords)
    {
        _server = server;
        _port = port;
        _passwords = passwords;
    }

    /// <summary>Starts a node.</summary>
    /// <param name="users">Its users, such as <c>uploads</c>.</param>
    public static async Task<NativeRabbitMq> StartAsync(params string[] users)
    {
        ArgumentNullException.ThrowIfNull(users);
        var port = NativeServer.FreePort();
        var passwords = users.ToDictionary(user => user, _ => NativeServer.NewPassword(), StringComparer.Ordinal);
        var directory = NativeServer.MakeDirectory("rabbitmq");
        var variables = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["FLURRTY_RABBITMQ_DATA"] = Path.Combine(directory, "data"),
            ["FLURRTY_RABBITMQ_PORT"] = $"{port}",
            ["FLURRTY_RABBITMQ_USERS"] = string.Join(' ', passwords.Select(user => $"{user.Key}:{user.Value}")),
        };
        var server = await NativeServer.StartAsync("rabbitmq.sh", directory, variables, IsReadyAsync);
        return new NativeRabbitMq(server, port, passwords);

        async Task IsReadyAsync()
        {
            await using var connection = await new ConnectionFactory { Uri = new Uri(Address(port, users[0], passwords[users[0]])) }.CreateConnectionAsync();
        }
    }

    /// <summary>The address for a user: <c>amqp://user:password@127.0.0.1:port/</c>.</summary>
    /// <param name="user">The user.</param>
    public string For(string user) => Address(_port, user, _passwords[user]);

    /// <summary>Stops the server and keeps its data.</summary>
    public Task StopAsync() => _server.StopAsync();

    /// <summary>Starts it again, with the same data, port and passwords.</summary>
    public Task StartAgainAsync() => _server.StartAsync();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private static string Address(int port, string user, string password) => $"amqp://{user}:{password}@127.0.0.1:{port}/";
}
