using System.Net.Http.Json;
using System.Text.Json;
using Flurrty.NativeInfrastructure;
using Flurrty.RegistryService.Persistence;
using Microsoft.AspNetCore.Http;
using Npgsql;

namespace Flurrty.RegistryService.Tests;

/// <summary>Tests that share one database server, one broker and one RegistryService.</summary>
[CollectionDefinition(Name)]
public sealed class RegistryCollection : ICollectionFixture<RegistryFixture>
{
    public const string Name = "registry";
}

/// <summary>A RegistryService over a real PostgreSQL and RabbitMQ, between stubs of the services that it calls.</summary>
public sealed class RegistryFixture : IAsyncLifetime
{
    private const string NoBroker = "amqp://nobody:nothing@127.0.0.1:1/";

    private readonly TicketKeys _gatewayKeys = new();
    private readonly TicketKeys _registryKeys = new();
    private readonly List<RegistryInstance> _instances = [];

    internal NativePostgres Postgres { get; private set; } = null!;

    internal NativeRabbitMq RabbitMq { get; private set; } = null!;

    internal StubService Uploads { get; private set; } = null!;

    internal StubService Training { get; private set; } = null!;

    internal RegistryInstance Registry { get; private set; } = null!;

    /// <summary>Sees every row, to check what the service has written.</summary>
    internal NpgsqlDataSource Everything { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        var postgres = NativePostgres.StartAsync("registry");
        var rabbit = NativeRabbitMq.StartAsync("registry", "training");
        Postgres = await postgres;
        await Postgres.MigrateAsync<RegistryDbContext>("registry", options => new RegistryDbContext(options));
        Everything = NpgsqlDataSource.Create(Postgres.Superuser("registry"));
        RabbitMq = await rabbit;
        Uploads = await StubService.StartAsync("uploads", _registryKeys);
        Training = await StubService.StartAsync("training", _registryKeys);
        Registry = Start(("ConnectionStrings:messaging", RabbitMq.For("registry")));
    }

    public async Task DisposeAsync()
    {
        foreach (var instance in _instances)
        {
            await instance.DisposeAsync();
        }

        await Uploads.DisposeAsync();
        await Training.DisposeAsync();
        await Everything.DisposeAsync();
        await RabbitMq.DisposeAsync();
        await Postgres.DisposeAsync();
        _gatewayKeys.Dispose();
        _registryKeys.Dispose();
    }

    /// <summary>Another RegistryService with other settings. Unless they name a broker, it has none: whatever it sends waits in its outbox.</summary>
    internal RegistryInstance Start(params (string Key, string Value)[] settings)
    {
        var all = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["ConnectionStrings:registry"] = Postgres.App("registry"),
            ["ConnectionStrings:registry-dispatcher"] = Postgres.Dispatcher("registry"),
            ["ConnectionStrings:messaging"] = NoBroker,
            ["Tickets:Audience"] = "registry",
            ["Tickets:SigningKey"] = _registryKeys.Private,
            ["Tickets:Issuers:gateway"] = _gatewayKeys.Public,
            ["services:uploads:http:0"] = Uploads.Address,
            ["services:training:http:0"] = Training.Address,
        };
        foreach (var (key, value) in settings)
        {
            all[key] = value;
        }

        var instance = new RegistryInstance(all, _gatewayKeys.SignerOf("gateway"));
        _instances.Add(instance);
        return instance;
    }

    /// <summary>UploadService seals every set with this many photos.</summary>
    internal void SealWith(int photos) => Uploads.Handler = (context, call) => context.Response.WriteAsJsonAsync(
        new { seal_id = call.Path.Split('/')[^1], photo_count = photos, thumbnail_photo_id = Guid.CreateVersion7() });

    internal async Task<long> CountAsync(string sql, params object[] values)
    {
        await using var command = Everything.CreateCommand(sql);
        foreach (var value in values)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        }

        return (long)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Waits until the identity is as expected; says how it was when that did not happen.</summary>
    internal static async Task<JsonElement> WaitAsync(HttpClient client, Guid id, Func<JsonElement, bool> expected)
    {
        var identity = default(JsonElement);
        await WaitAsync(
            async () =>
            {
                identity = await client.GetFromJsonAsync<JsonElement>($"/api/identities/{id}");
                return expected(identity);
            },
            () => identity.GetRawText());
        return identity;
    }

    internal static Task WaitAsync(Func<Task<bool>> condition, Func<string> state) => Deadline.WaitAsync(
        "the condition is met", async () => (Met: await condition(), Seen: state()), static look => look.Met);
}
