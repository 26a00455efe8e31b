using System.Globalization;
using System.Text;

namespace Flurrty.AppHost.Infrastructure;

/// <summary>
/// PostgreSQL, RabbitMQ and MinIO as containers, with the official images (containers/images.txt) unless <c>Images:postgres</c>, <c>Images:rabbitmq</c> or <c>Images:s3</c> name
/// others (eng/images has stand-ins for machines that reach no image registry).
/// </summary>
internal static class ContainerInfrastructure
{
    private const string WaitForCleanup = "DcpPublisher:WaitForResourceCleanup";
    private const string StandIn = "localhost/flurrty-";
    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    // PostgreSQL has ten seconds to stop before its engine ends it.
    private static readonly TimeSpan PatienceForUsers = TimeSpan.FromSeconds(60);

    public static InfrastructureResources Add(IDistributedApplicationBuilder builder, DataDirectory data, Credentials credentials, DevelopmentKeys keys)
    {
        // A stop that does not wait leaves servers behind, which the next start would meet on its volumes.
        builder.Configuration[WaitForCleanup] ??= "true";
        var initial = Path.Combine(builder.AppHostDirectory, "Infrastructure", "containers");
        var volumes = keys.Volumes(former: DevelopmentKeys.Sha256(data.Root)[..12]);

        var postgresImage = ContainerImage.Of(builder, "postgres");
        var postgres = postgresImage.UseFor(builder.AddPostgres("postgres", password: credentials.Password("postgres-superuser")))
            .WithIconName("Database")
            // The image keeps its data elsewhere from version 18 on.
            .WithVolume(postgresImage.VolumeOf(volumes), postgresImage.Major >= 18 ? "/var/lib/postgresql" : "/var/lib/postgresql/data")
            .WithArgs("-c", "max_connections=200")
            .WithInitFiles(Path.Combine(initial, "postgres"));
        credentials.AddDatabasesTo(postgres);

        var rabbitmqImage = ContainerImage.Of(builder, "rabbitmq");
        var rabbitmq = rabbitmqImage.UseFor(builder.AddRabbitMQ(
                "rabbitmq", builder.AddParameter("rabbitmq-readiness-user", Credentials.Readiness), credentials.Password($"rabbitmq-{Credentials.Readiness}")))
            .WithIconName("Mailbox")
            .WithVolume(rabbitmqImage.VolumeOf(volumes), "/var/lib/rabbitmq")
            .WithContainerFiles("/etc/rabbitmq", async (_, cancellationToken) =>
            [
                new ContainerDirectory { Name = "conf.d", Entries = [new ContainerFile { Name = "20-flurrty.conf", Contents = "load_definitions = /etc/rabbitmq/definitions.json\n", Mode = Readable }] },
                new ContainerFile { Name = "definitions.json", Contents = await BrokerDefinitions.OfAsync(credentials, cancellationToken), Mode = Readable },
            ]);

        var storeImage = ContainerImage.Of(builder, "s3");
        var store = storeImage.UseFor(builder.AddContainer("s3", storeImage.Name, storeImage.Tag))
            .WithIconName("Archive")
            .WithArgs("server", "/data")
            .WithEnvironment("MINIO_ROOT_USER", "flurrty-root")
            .WithEnvironment("MINIO_ROOT_PASSWORD", credentials.Password("s3-root"))
            .WithVolume(storeImage.VolumeOf(volumes), "/data")
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

        if (builder.ExecutionContext.IsRunMode)
        {
            WaitUntilUnused([postgresImage.VolumeOf(volumes), rabbitmqImage.VolumeOf(volumes), storeImage.VolumeOf(volumes)]);
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
        var image = ContainerImage.Of(builder, "mc");
        // Secrets go by the environment and by standard input: a command line is everybody's to read.
        var script = new StringBuilder(
            """
            set -eu; tries=0; until mc admin user list store >/dev/null 2>&1; do tries=$((tries + 1)); [ "$tries" -lt 180 ] || { mc admin user list store; exit 1; }; sleep 1; done;
            """);
        var users = image.UseFor(builder.AddContainer("s3-users", image.Name, image.Tag))
            .WithEntrypoint("/bin/sh")
            .WithEnvironment("MC_HOST_store", ReferenceExpression.Create(
                $"http://flurrty-root:{credentials.Password("s3-root")}@{store.GetEndpoint("http").Property(EndpointProperty.HostAndPort)}"))
            .WithParentRelationship(store)
            .WithIconName("PersonKey")
            .WaitForStart(store);
        foreach (var (user, bucket) in Credentials.StoreUsers)
        {
            var variable = $"{user}_PASSWORD".ToUpperInvariant();
            users.WithEnvironment(variable, credentials.Password($"s3-{user}"));
            script.Append(
                $$"""
                 mc mb --ignore-existing store/{{bucket}}; printf '%s\n%s\n' {{user}} "${{variable}}" | mc admin user add store;
                printf '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::{{bucket}}","arn:aws:s3:::{{bucket}}/*"]}]}' >/tmp/{{user}}.json;
                mc admin policy create store {{user}} /tmp/{{user}}.json;
                answer=$(mc admin policy attach store {{user}} --user {{user}} 2>&1) || case $answer in *"already in effect"*) ;; *) echo "$answer" >&2; exit 1 ;; esac;
                """.ReplaceLineEndings(" "));
        }

        users.WithArgs("-c", script.ToString());
    }

    /// <summary>Waits for the containers of an earlier start that still end: two servers on one volume would spoil it.</summary>
    private static void WaitUntilUnused(IReadOnlyList<string> volumes)
    {
        string[] question = ["ps", "--quiet", .. volumes.SelectMany(static volume => (string[])["--filter", $"volume={volume}"])];
        var named = Environment.GetEnvironmentVariable("ASPIRE_CONTAINER_RUNTIME") ?? Environment.GetEnvironmentVariable("DOTNET_ASPIRE_CONTAINER_RUNTIME");
        string[] engines = string.IsNullOrEmpty(named) ? ["docker", "podman"] : [named];
        var start = TimeProvider.System.GetTimestamp();
        var said = false;
        using var pause = new ManualResetEventSlim();
        while (engines.FirstOrDefault(engine => ShortCommand.Ask(engine, question) is { ExitCode: 0, Output.Length: > 0 }) is { } engine)
        {
            if (TimeProvider.System.GetElapsedTime(start) > PatienceForUsers)
            {
                throw new DistributedApplicationException($"Containers of an earlier start still use this topology's data: stop them, which '{engine} {string.Join(' ', question)}' lists.");
            }

            if (!said)
            {
                Console.WriteLine("Waiting for the containers of an earlier start to end…");
                said = true;
            }

            pause.Wait(TimeSpan.FromMilliseconds(500));
        }
    }

    /// <summary>An image, its tag, and the major version in it.</summary>
    private sealed record ContainerImage(string Name, string Tag)
    {
        /// <summary>The leading number of the tag; 0 where it has none.</summary>
        public int Major => int.TryParse(new string([.. Tag.TakeWhile(char.IsAsciiDigit)]), out var major) ? major : 0;

        public static ContainerImage Of(IDistributedApplicationBuilder builder, string server)
        {
            var image = builder.Configuration[$"Images:{server}"] is { Length: > 0 } given ? given : Official(builder, server);
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

        /// <summary>A volume for these keys, this image and major version: what another version wrote is never opened.</summary>
        public string VolumeOf(string volumes) =>
            $"flurrty-{volumes}-{Name[(Name.LastIndexOf('/') + 1)..]}-{(Major > 0 ? Major.ToString(CultureInfo.InvariantCulture) : "any")}";

        // eng/images reads the same lines.
        private static string Official(IDistributedApplicationBuilder builder, string server) =>
            File.ReadLines(Path.Combine(builder.AppHostDirectory, "Infrastructure", "containers", "images.txt"))
                .Select(static line => line.Split(' '))
                .Single(line => string.Equals(line[0], server, StringComparison.Ordinal))[1];
    }
}
