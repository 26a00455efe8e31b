namespace Flurrty.AppHost.Infrastructure;

/// <summary>PostgreSQL, RabbitMQ and the S3 store, however they run, with a user per service.</summary>
/// <param name="Databases">The PostgreSQL server.</param>
/// <param name="Broker">The RabbitMQ server.</param>
/// <param name="Store">The S3 store.</param>
/// <param name="BrokerEndpoint">URL of the broker, without credentials.</param>
/// <param name="StoreEndpoint">URL of the store.</param>
/// <param name="DatabaseConnection">Connection string by database and role (owner, app, dispatcher).</param>
/// <param name="MessagingConnection">Connection string by service.</param>
/// <param name="StoreConnection">Connection string by service and bucket.</param>
internal sealed record InfrastructureResources(
    IResourceBuilder<IResource> Databases,
    IResourceBuilder<IResource> Broker,
    IResourceBuilder<IResource> Store,
    ReferenceExpression BrokerEndpoint,
    ReferenceExpression StoreEndpoint,
    Func<string, string, ReferenceExpression> DatabaseConnection,
    Func<string, ReferenceExpression> MessagingConnection,
    Func<string, string, ReferenceExpression> StoreConnection)
{
    /// <summary>Each service with rows has a database of its name.</summary>
    public static readonly IReadOnlyList<string> DatabaseNames = ["uploads", "training", "registry"];

    public static readonly IReadOnlyList<string> DatabaseRoles = ["owner", "app", "dispatcher"];
}

internal static class InfrastructureExtensions
{
    /// <summary>Adds the infrastructure that <c>Infrastructure=native|containers|auto</c> names; <c>auto</c> where nothing does.</summary>
    public static InfrastructureResources AddInfrastructure(this IDistributedApplicationBuilder builder, DataDirectory data, DevelopmentKeys keys)
    {
        var credentials = new Credentials(builder, keys);
        var chosen = builder.Configuration["Infrastructure"] ?? "auto";
        var added = (chosen == "auto" ? OfThisMachine(data) : chosen) switch
        {
            "native" => NativeInfrastructure.Add(builder, data, credentials),
            "containers" => ContainerInfrastructure.Add(builder, data, credentials, keys),
            var other => throw new DistributedApplicationException($"Infrastructure={other} is not known: it is native, containers or auto."),
        };
        added.Databases.WithReadiness("postgres-query", new DatabaseReadiness(InfrastructureResources.DatabaseNames, database => added.DatabaseConnection(database, "app")));
        added.Broker.WithReadiness("rabbitmq-publish", new BrokerReadiness(added.MessagingConnection(Credentials.Readiness)));
        added.Store.WithReadiness("s3-put-get", new StoreReadiness(added.StoreConnection(Credentials.Readiness, Credentials.Readiness)));
        return added;
    }

    // The script has the rule: run.sh asks it too, before there is an AppHost to ask.
    private static string OfThisMachine(DataDirectory data)
    {
        var answer = ShortCommand.Ask(Path.Combine(data.Repository, "eng", "infrastructure.sh"));
        return answer?.Output switch
        {
            "native" or "containers" => answer.Output,
            "installable" => throw new DistributedApplicationException(
                "PostgreSQL, RabbitMQ or the S3 store is not installed: run ./eng/install.sh, or take containers with --Infrastructure=containers."),
            _ => throw new DistributedApplicationException(
                answer?.Errors is { Length: > 0 } why ? why : "eng/infrastructure.sh does not say what to run PostgreSQL, RabbitMQ and the S3 store with: name it with --Infrastructure=native or containers."),
        };
    }

    public static IResourceBuilder<T> WithReadiness<T>(this IResourceBuilder<T> resource, string name, IReadiness readiness)
        where T : IResource
    {
        resource.ApplicationBuilder.Services.AddHealthChecks().AddCheck(name, new ReadinessCheck(readiness), timeout: ReadinessCheck.Timeout);
        return resource.WithHealthCheck(name);
    }

    public static IResourceBuilder<ProjectResource> WithDatabase(this IResourceBuilder<ProjectResource> service, InfrastructureResources infrastructure, string database) =>
        service
            .WithEnvironment($"ConnectionStrings__{database}", infrastructure.DatabaseConnection(database, "app"))
            .WithEnvironment($"ConnectionStrings__{database}-dispatcher", infrastructure.DatabaseConnection(database, "dispatcher"))
            .WaitFor(infrastructure.Databases);

    public static IResourceBuilder<ProjectResource> WithDatabaseOwners(this IResourceBuilder<ProjectResource> migrations, InfrastructureResources infrastructure)
    {
        foreach (var database in InfrastructureResources.DatabaseNames)
        {
            migrations.WithEnvironment($"ConnectionStrings__{database}-owner", infrastructure.DatabaseConnection(database, "owner"));
        }

        return migrations;
    }

    public static IResourceBuilder<ProjectResource> WithMessaging(this IResourceBuilder<ProjectResource> service, InfrastructureResources infrastructure, string user) =>
        service.WithEnvironment("ConnectionStrings__messaging", infrastructure.MessagingConnection(user)).WaitFor(infrastructure.Broker);

    public static IResourceBuilder<ProjectResource> WithStore(this IResourceBuilder<ProjectResource> service, InfrastructureResources infrastructure, string user, string bucket) =>
        service.WithEnvironment($"ConnectionStrings__{bucket}", infrastructure.StoreConnection(user, bucket)).WaitFor(infrastructure.Store);
}
