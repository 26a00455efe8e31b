
namespace Flurrty.AppHost.Infrastructure;

/// <summary>PostgreSQL, RabbitMQ and MinIO as containers. Another S3 store is a matter of <c>Store:Image</c>, <c>Store:Tag</c> and <c>Store:Args</c>.</summary>
internal static class ContainerInfrastructure
{
    private const string PostgresTag = "17.6";
    private const string RabbitMqTag = "4.2";
    private const string MinioImage = "minio/minio";
    private const string MinioTag = "RELEASE.2025-09-07T16-13-09Z";
    private const string PostgresInit = "/docker-entrypoint-initdb.d";

    public static InfrastructureResources Add(IDistributedApplicationBuilder builder)
    {
        var passwords = new Dictionary<string, IResourceBuilder<ParameterResource>>(StringComparer.Ordinal);
        var initial = Path.Combine(builder.AppHostDirectory, "Infrastructure", "containers");

        var postgres = builder.AddPostgres("postgres", password: Password("postgres-superuser"))
            .WithImageTag(PostgresTag)
            .WithDataVolume()
            .WithBindMount(Path.Combine(initial, "postgres"), PostgresInit, isReadOnly: true)
            .WithEnvironment("FLURRTY_PG_DATABASES", string.Join(' ', InfrastructureResources.DatabaseNames));
        foreach (var database in InfrastructureResources.DatabaseNames)
        {
            foreach (var role in InfrastructureResources.DatabaseRoles)
            {
                postgres.WithEnvironment($"FLURRTY_PG_{database}_{role}_PASSWORD".ToUpperInvariant(), Password($"postgres-{database}-{role}"));
            }
        }

        // One broker user until the definitions of several are mounted; native has one per service.
        var rabbitmqUser = builder.AddParameter("rabbitmq-user", "flurrty");
        var rabbitmq = builder.AddRabbitMQ("rabbitmq", rabbitmqUser, Password("rabbitmq"))
            .WithImageTag(RabbitMqTag)
            .WithDataVolume();

        var store = builder.AddContainer("s3", builder.Configuration["Store:Image"] ?? MinioImage, builder.Configuration["Store:Tag"] ?? MinioTag)
            .WithArgs((builder.Configuration["Store:Args"] ?? "server /data").Split(' '))
            .WithEnvironment("MINIO_ROOT_USER", "flurrty")
            .WithEnvironment("MINIO_ROOT_PASSWORD", Password("s3"))
            .WithVolume("flurrty-s3", "/data")
            .WithHttpEndpoint(targetPort: 9000, name: "http");
        store.WithHttpHealthCheck("/minio/health/ready");

        return new InfrastructureResources(
            postgres,
            rabbitmq,
            store,
            ReferenceExpression.Create($"amqp://127.0.0.1:{rabbitmq.GetEndpoint("tcp").Property(EndpointProperty.Port)}"),
            ReferenceExpression.Create($"{store.GetEndpoint("http")}"),
            (database, role) => ReferenceExpression.Create(
                $"Host={postgres.GetEndpoint("tcp").Property(EndpointProperty.Host)};Port={postgres.GetEndpoint("tcp").Property(EndpointProperty.Port)};Database={database};Username={database}_{role};Password={Password($"postgres-{database}-{role}")};Maximum Pool Size=40"),
            _ => rabbitmq.Resource.ConnectionStringExpression,
            (_, bucket) => ReferenceExpression.Create(
                $"Endpoint={store.GetEndpoint("http")};AccessKey=flurrty;SecretKey={Password("s3")};Region=us-east-1;Bucket={bucket}"));

        IResourceBuilder<ParameterResource> Password(string name) =>
            passwords.TryGetValue(name, out var parameter)
                ? parameter
                : passwords[name] = builder.AddParameter($"{name}-password", new GenerateParameterDefault { MinLength = 32, Special = false }, secret: true, persist: true);
    }
}
