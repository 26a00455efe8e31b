using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Flurrty.LocalAspire.Tests;

/// <summary>Resource types that an AppHost makes itself.</summary>
public sealed class CustomResourceTests
{
    [Fact]
    public async Task ServerAndItsPart_OfOwnTypes_GiveConnectionStringsAndHealth()
    {
        var serverIsUp = false;
        using var builder = DistributedApplicationTestingBuilder.Create();
        builder.Services.AddHealthChecks().AddCheck("server-up", () => serverIsUp ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy());
        var password = builder.AddParameter("password", "pa55", secret: true);
        var server = builder.AddResource(new Server("server", password.Resource))
            .WithEndpoint(name: "tcp", isProxied: false)
            .WithHealthCheck("server-up");
        var part = builder.AddResource(new Part("part", server.Resource));
        server.WithArgs("600");
        builder.AddExecutable("client", "sleep", "/", "600").WithReference(part).WaitFor(part);
        await using var app = await builder.BuildAsync();
        var started = app.StartAsync(Deadline.In(60));

        await app.ResourceNotifications.WaitForResourceAsync("part", KnownResourceStates.Running, Deadline.In(30));
        await app.ResourceNotifications.WaitForResourceAsync("client", KnownResourceStates.Waiting, Deadline.In(30));
        serverIsUp = true;
        await started;

        var running = await app.ResourceNotifications.WaitForResourceAsync("client", e => !e.Snapshot.EnvironmentVariables.IsEmpty, Deadline.In(30));
        var variables = running.Snapshot.EnvironmentVariables.ToDictionary(v => v.Name, v => v);
        Assert.Equal($"Host=127.0.0.1;Port={server.GetEndpoint("tcp").Port};Password=pa55;Part=part", variables["ConnectionStrings__part"].Value);
        Assert.True(variables["ConnectionStrings__part"].IsSensitive);
        Assert.Equal("part", variables["PART_DATABASENAME"].Value);
        Assert.Equal(server.GetEndpoint("tcp").Port, server.GetEndpoint("tcp").TargetPort);
        Assert.Contains(app.Snapshot("part").Relationships, r => r is { ResourceName: "server", Type: "Parent" });
    }

    private sealed class Server(string name, ParameterResource password) : ExecutableResource(name, "sleep", "/"), IResourceWithConnectionString
    {
        private EndpointReference Endpoint => this.GetEndpoint("tcp");

        public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create(
            $"Host={Endpoint.Property(EndpointProperty.IPV4Host)};Port={Endpoint.Property(EndpointProperty.Port)};Password={password}");

        public override ResourceAnnotationCollection Annotations { get; } = [];
    }

    private sealed class Part(string name, Server server) : Resource(name), IResourceWithParent<Server>, IResourceWithConnectionString
    {
        public Server Parent => server;

        public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create($"{Parent.ConnectionStringExpression};Part={Name}");

        public IEnumerable<KeyValuePair<string, ReferenceExpression>> GetConnectionProperties() => [new("DatabaseName", ReferenceExpression.Create($"{Name}"))];
    }
}
