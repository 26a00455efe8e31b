using Flurrty.NativeInfrastructure;

namespace Flurrty.Messaging.Tests;

/// <summary>A real PostgreSQL and a real RabbitMQ, once for all tests.</summary>
[CollectionDefinition(Name)]
public sealed class Servers : IAsyncLifetime, ICollectionFixture<Servers>
{
    public const string Name = "servers";

    internal NativePostgres Database { get; private set; } = null!;

    internal NativeRabbitMq Broker { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Database = await NativePostgres.StartAsync(NotesContext.Name);
        Broker = await NativeRabbitMq.StartAsync(NotesContext.Name);
        await Database.MigrateAsync<NotesContext>(NotesContext.Name, static options => new NotesContext(options));
    }

    public async Task DisposeAsync()
    {
        await Broker.DisposeAsync();
        await Database.DisposeAsync();
    }
}
