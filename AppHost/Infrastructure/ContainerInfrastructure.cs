using System.Security.Cryptography;
using System.Text;

namespace Flurrty.AppHost.Infrastructure;

/// <summary>
/// PostgreSQL, RabbitMQ and MinIO as containers, with the official images unless <c>Images:postgres</c>, <c>Images:rabbitmq</c> or <c>Images:s3</c> name
/// others (eng/images has stand-ins for machines that reach no image registry).
/// </summary>
internal static class ContainerInfrastructure
{
    private const string PostgresImage = "docker.io/library/postgres:17.6";
    private const string RabbitMqImage = "docker.io/library/rabbitmq:4.2-management";
    private const string MinioImage = "docker.io/minio/minio:RELEASE.2025-09-07T16-13-09Z";
    private const string MinioClientImage = "docker.io/minio/mc:RELEASE.2025-08-13T08-35-41Z";
    private const string StandIn = "localhost/flurrty-";
    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    public static InfrastructureResources Add(IDistributedApplicationBuilder builder, DataDirectory data, Credentials credentials)
    {
        var initial = Path.Combine(builder.AppHostDirectory, "Infrastructure", "containers");

        var postgresImage = ContainerImage.Of(builder, "postgres", PostgresImage);
        var postgres = postgresImage.UseFor(builder.AddPostgres("postgres", password: credentials.Password("postgres-superuser")))
            .WithIconName("Database")
            // The image keeps its data elsewhere from version 18 on.
            .WithVolume(postgresImage.VolumeIn(data), postgresImage.Major >= 18 ? "/var/lib/postgresql" : "/var/lib/postgresql/data")
            .WithArgs("-c", "max_connections=200")
            .WithInitFiles(Path.Combine(initial, "postgres"));
        credentials.AddDatabasesTo(postgres);

        var rabbitmqImage = ContainerImage.Of(builder, "rabbitmq", RabbitMqImage);
        var rabbitmq = rabbitmqImage.UseFor(builder.AddRabbitMQ(
                "rabbitmq", builder.AddParameter("rabbitmq-readiness-user", Credentials.Readiness), credentials.Password($"rabbitmq-{Credentials.Readiness}")))
            .WithIconName("Mailbox")
            .WithVolume(rabbitmqImage.VolumeIn(data), "/var/lib/rabbitmq")
            .WithContainerFiles("/etc/rabbitmq", async (_, cancellationToken) =>
            [
                new ContainerDirectory { Name = "conf.d", Entries = [new ContainerFile { Name = "20-flurrty.conf", Contents = "load_definitions = /etc/rabbitmq/definitions.json\n", Mode = Readable }] },
                new ContainerFile { Name = "definitions.json", Contents = await BrokerDefinitions.OfAsync(credentials, cancellationToken), Mode = Readable },
            ]);

        var storeImage = ContainerImage.Of(builder, "s3", MinioImage);
        var store = storeImage.UseFor(builder.AddContainer("s3", storeImage.Name, storeImage.Tag))
            .WithIconName("Archive")
            .WithArgs("server", "/data")
            .WithEnvironment("MINIO_ROOT_USER", "flurrty-root")
            .WithEnvironment("MINIO_ROOT_PASSWORD", credentials.Password("s3-root"))
            .WithVolume(storeImage.VolumeIn(data), "/data")
            .WithHttpEndpoint(targetPort: 9000, name: "http");
        var isStandIn = storeImage.Name.StartsWith(StandIn, StringComparison.Ordinal);
        if (isStandIn)
        {
            store.WithEnvironment("FLURRTY_S3_USERS", credentials.Logins("s3", Credentials.StoreUsers.Select(static user => user.User), StandInLogin, '='));
        }
        else
        {
            AddMinioUsers(builder, store, credentials);
        }

        var postgresEndpoint = postgres.Resource.PrimaryEndpoint;
        var rabbitmqEndpoint = rabbitmq.Resource.PrimaryEndpoint;
        return new InfrastructureResources(
            postgres,
            rabbitmq,
            store,
            ReferenceExpression.Create($"amqp://{rabbitmqEndpoint.Property(EndpointProperty.HostAndPort)}"),
            ReferenceExpression.Create($"{store.GetEndpoint("http")}"),
            (database, role) => ReferenceExpression.Create(
                $"Host={postgresEndpoint.Property(EndpointProperty.Host)};Port={postgresEndpoint.Property(EndpointProperty.Port)};Database={database};Username={database}_{role};Password={credentials.Password($"postgres-{database}-{role}")};Maximum Pool Size=40"),
            user => ReferenceExpression.Create($"amqp://{user}:{credentials.Password($"rabbitmq-{user}")}@{rabbitmqEndpoint.Property(EndpointProperty.HostAndPort)}/"),
            (user, bucket) => ReferenceExpression.Create(
                $"Endpoint={store.GetEndpoint("http")};AccessKey={(isStandIn ? StandInLogin(user) : user)};SecretKey={credentials.Password($"s3-{user}")};Region=us-east-1;Bucket={bucket}"));
    }

    private static string StandInLogin(string user) => $"{user}:service";

    /// <summary>MinIO has users, buckets and policies made by its client: each user gets the one bucket of its own.</summary>
    private static void AddMinioUsers(IDistributedApplicationBuilder builder, IResourceBuilder<ContainerResource> store, Credentials credentials)
    {
        var image = ContainerImage.Of(builder, "mc", MinioClientImage);
        var script = new StringBuilder("set -eu; mc alias set store \"$STORE\" flurrty-root \"$ROOT_PASSWORD\" >/dev/null; ");
        var users = image.UseFor(builder.AddContainer("s3-users", image.Name, image.Tag))
            .WithEntrypoint("/bin/sh")
            .WithEnvironment("STORE", store.GetEndpoint("http"))
            .WithEnvironment("ROOT_PASSWORD", credentials.Password("s3-root"))
            .WithParentRelationship(store)
            .WithIconName("PersonKey")
            .WaitForStart(store);
        foreach (var (user, bucket) in Credentials.StoreUsers)
        {
            var variable = $"{user}_PASSWORD".ToUpperInvariant();
            users.WithEnvironment(variable, credentials.Password($"s3-{user}"));
            script.Append(
                $$"""
                mc mb --ignore-existing store/{{bucket}}; mc admin user add store {{user}} "${{variable}}";
                printf '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::{{bucket}}","arn:aws:s3:::{{bucket}}/*"]}]}' >/tmp/{{user}}.json;
                mc admin policy create store {{user}} /tmp/{{user}}.json; mc admin policy attach store {{user}} --user {{user}} || mc admin policy entities store --user {{user}} | grep -q {{user}};
                """.ReplaceLineEndings(" "));
        }

        users.WithArgs("-c", script.ToString());
    }

    /// <summary>An image, its tag, and the major version in it.</summary>
    private sealed record ContainerImage(string Name, string Tag)
    {
        /// <summary>The leading number of the tag; 0 where it has none.</summary>
        public int Major => int.TryParse(new string([.. Tag.TakeWhile(char.IsAsciiDigit)]), out var major) ? major : 0;

        public static ContainerImage Of(IDistributedApplicationBuilder builder, string server, string official)
        {
            var image = builder.Configuration[$"Images:{server}"] is { Length: > 0 } given ? given : official;
            var colon = image.LastIndexOf(':');
            return colon > image.LastIndexOf('/') && colon < image.Length - 1
                ? new ContainerImage(image[..colon], image[(colon + 1)..])
                : throw new DistributedApplicationException($"Images:{server}={image} has no tag; without one the data would follow whatever is newest.");
        }

        public IResourceBuilder<T> UseFor<T>(IResourceBuilder<T> resource)
            where T : ContainerResource
        {
            var slash = Name.IndexOf('/', StringComparison.Ordinal);
            return resource.WithImage(Name[(slash + 1)..], Tag).WithImageRegistry(Name[..slash]);
        }

        /// <summary>A volume for this data directory, image and major version: what another version wrote is never opened.</summary>
        public string VolumeIn(DataDirectory data) =>
            $"flurrty-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(data.Root)))[..12]}-{Name[(Name.LastIndexOf('/') + 1)..]}-{(Major > 0 ? Major.ToString(System.Globalization.CultureInfo.InvariantCulture) : "any")}";
    }
}
