using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Configuration;

namespace Flurrty.AppHost.Infrastructure;

/// <summary>PostgreSQL, RabbitMQ and the S3 store as installed programs, started by the scripts in eng/native; their data is under the data directory.</summary>
internal static class NativeInfrastructure
{
    private const int LowestPort = 20_000;
    private const uint Ports = 12_000;
    private static readonly string[] MessagingUsers = ["uploads", "training", "registry", "readiness"];
    private static readonly string[] StoreUsers = ["uploads", "training", "readiness"];
    private static int _lastPort = Random.Shared.Next();

    public static InfrastructureResources Add(IDistributedApplicationBuilder builder, DataDirectory data, DevelopmentKeys keys)
    {
        var passwords = new Dictionary<string, IResourceBuilder<ParameterResource>>(StringComparer.Ordinal);

        var postgres = Server("postgres", "FLURRTY_PG")
            .WithEnvironment("FLURRTY_PG_DATABASES", string.Join(' ', InfrastructureResources.DatabaseNames))
            .WithEnvironment("FLURRTY_PG_SUPERUSER_PASSWORD", Password("postgres-superuser"));
        foreach (var database in InfrastructureResources.DatabaseNames)
        {
            foreach (var role in InfrastructureResources.DatabaseRoles)
            {
                postgres.WithEnvironment($"FLURRTY_PG_{database}_{role}_PASSWORD".ToUpperInvariant(), Password($"postgres-{database}-{role}"));
            }
        }

        var rabbitmq = Server("rabbitmq", "FLURRTY_RABBITMQ")
            .WithEnvironment("FLURRTY_RABBITMQ_USERS", Users(MessagingUsers, "rabbitmq", static user => user, ':'));
        var s3 = Server("s3", "FLURRTY_S3")
            .WithEnvironment("FLURRTY_S3_SERVER", builder.Configuration["Store:Server"] ?? "auto")
            .WithEnvironment("FLURRTY_S3_BUCKETS", "uploads=photos training=models readiness=readiness")
            .WithEnvironment("FLURRTY_S3_USERS", Users(StoreUsers, "s3", static user => $"{user}:service", '='));

        var result = new InfrastructureResources(
            postgres,
            rabbitmq,
            s3,
            ReferenceExpression.Create($"amqp://127.0.0.1:{Port(rabbitmq)}"),
            ReferenceExpression.Create($"http://127.0.0.1:{Port(s3)}"),
            (database, role) => ReferenceExpression.Create(
                $"Host=127.0.0.1;Port={Port(postgres)};Database={database};Username={database}_{role};Password={Password($"postgres-{database}-{role}")};Maximum Pool Size=40"),
            user => ReferenceExpression.Create($"amqp://{user}:{Password($"rabbitmq-{user}")}@127.0.0.1:{Port(rabbitmq)}/"),
            (user, bucket) => ReferenceExpression.Create(
                $"Endpoint=http://127.0.0.1:{Port(s3)};AccessKey={user}:service;SecretKey={Password($"s3-{user}")};Region=us-east-1;Bucket={bucket}"));

        AddReadiness(postgres, "postgres-query", new DatabaseReadiness(InfrastructureResources.DatabaseNames, database => result.DatabaseConnection(database, "app")));
        AddReadiness(rabbitmq, "rabbitmq-publish", new BrokerReadiness(result.MessagingConnection("readiness")));
        AddReadiness(s3, "s3-put-get", new StoreReadiness(result.StoreConnection("readiness", "readiness")));
        return result;

        IResourceBuilder<ExecutableResource> Server(string name, string prefix) =>
            builder.AddExecutable(name, Path.Combine(data.Repository, "eng", "native", $"{name}.sh"), data.Repository)
                .WithEnvironment($"{prefix}_DATA", data.Below(name))
                .WithEndpoint(port: builder.Configuration.GetValue<int?>($"Ports:{name}") ?? FreePort(), scheme: "tcp", name: "tcp", env: $"{prefix}_PORT", isProxied: false);

        IResourceBuilder<ParameterResource> Password(string name) =>
            passwords.TryGetValue(name, out var parameter)
                ? parameter
                : passwords[name] = builder.AddParameter($"{name}-password", () => keys.Secret(name), secret: true);

        ReferenceExpression Users(string[] users, string server, Func<string, string> login, char separator)
        {
            var expression = new ReferenceExpressionBuilder();
            for (var i = 0; i < users.Length; i++)
            {
                expression.AppendLiteral($"{(i == 0 ? "" : " ")}{login(users[i])}{separator}");
                expression.AppendFormatted(Password($"{server}-{users[i]}").Resource);
            }

            return expression.Build();
        }

        void AddReadiness(IResourceBuilder<ExecutableResource> server, string name, IReadiness readiness)
        {
            builder.Services.AddHealthChecks().AddCheck(name, new ReadinessCheck(readiness), timeout: TimeSpan.FromSeconds(10));
            server.WithHealthCheck(name);
        }
    }

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
