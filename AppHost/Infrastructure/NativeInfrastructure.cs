using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Configuration;

namespace Flurrty.AppHost.Infrastructure;

/// <summary>PostgreSQL, RabbitMQ and the S3 store as installed programs, started by the scripts in eng/native; their data is under the data directory.</summary>
internal static class NativeInfrastructure
{
    private const int LowestPort = 20_000;
    private const uint Ports = 12_000;
    private static int _lastPort = Random.Shared.Next();

    public static InfrastructureResources Add(IDistributedApplicationBuilder builder, DataDirectory data, Credentials credentials)
    {
        var postgres = Server("postgres", "FLURRTY_PG", "Database")
            .WithEnvironment("FLURRTY_PG_SUPERUSER_PASSWORD", credentials.Password("postgres-superuser"));
        credentials.AddDatabasesTo(postgres);
        var rabbitmq = Server("rabbitmq", "FLURRTY_RABBITMQ", "Mailbox")
            .WithEnvironment("FLURRTY_RABBITMQ_USERS", credentials.Logins("rabbitmq", Credentials.BrokerUsers, static user => user, ':'));
        var s3 = Server("s3", "FLURRTY_S3", "Archive")
            .WithEnvironment("FLURRTY_S3_SERVER", builder.Configuration["Store:Server"] ?? "auto")
            .WithEnvironment("FLURRTY_S3_BUCKETS", string.Join(' ', Credentials.StoreUsers.Select(static user => $"{user.User}={user.Bucket}")))
            .WithEnvironment("FLURRTY_S3_USERS", credentials.Logins("s3", Credentials.StoreUsers.Select(static user => user.User), StoreLogin, '='));

        return new InfrastructureResources(
            postgres,
            rabbitmq,
            s3,
            ReferenceExpression.Create($"amqp://127.0.0.1:{Port(rabbitmq)}"),
            ReferenceExpression.Create($"http://127.0.0.1:{Port(s3)}"),
            (database, role) => ReferenceExpression.Create(
                $"Host=127.0.0.1;Port={Port(postgres)};Database={database};Username={database}_{role};Password={credentials.Password($"postgres-{database}-{role}")};Maximum Pool Size=40"),
            user => ReferenceExpression.Create($"amqp://{user}:{credentials.Password($"rabbitmq-{user}")}@127.0.0.1:{Port(rabbitmq)}/"),
            (user, bucket) => ReferenceExpression.Create(
                $"Endpoint=http://127.0.0.1:{Port(s3)};AccessKey={StoreLogin(user)};SecretKey={credentials.Password($"s3-{user}")};Region=us-east-1;Bucket={bucket}"));

        IResourceBuilder<ExecutableResource> Server(string name, string prefix, string icon) =>
            builder.AddExecutable(name, Path.Combine(data.Repository, "eng", "native", $"{name}.sh"), data.Repository)
                .WithIconName(icon)
                .WithEnvironment($"{prefix}_DATA", data.Below(name))
                .WithEndpoint(port: builder.Configuration.GetValue<int?>($"Ports:{name}") ?? FreePort(), scheme: "tcp", name: "tcp", env: $"{prefix}_PORT", isProxied: false);
    }

    private static string StoreLogin(string user) => $"{user}:service";

    private static EndpointReferenceExpression Port(IResourceBuilder<ExecutableResource> server) => server.GetEndpoint("tcp").Property(EndpointProperty.Port);

    // The server listens on the port itself: a proxy before it would carry every photo once more.
    // Below the range from which the system takes the ports of outgoing connections: until the server listens, one of those could take the port.
    private static int FreePort()
    {
        while (true)
        {
            var port = LowestPort + (int)((uint)Interlocked.Increment(ref _lastPort) % Ports);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException taken) when (taken.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                // The next one, then.
            }
        }
    }
}
