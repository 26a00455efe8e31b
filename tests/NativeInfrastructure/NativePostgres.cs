using Flurrty.ServiceDefaults.Data;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Flurrty.NativeInfrastructure;

/// <summary>A PostgreSQL server with its three roles for each database, as the topology has it.</summary>
public sealed class NativePostgres : IAsyncDisposable
{
    private readonly NativeServer _server;
    private readonly int _port;
    private readonly string _superuserPassword;
    private readonly Dictionary<string, string> _passwords;

    private NativePostgres(NativeServer server, int port, string superuserPassword, Dictionary<string, string> passwords)
    {
        _server = server;
        _port = port;
        _superuserPassword = superuserPassword;
        _passwords = passwords;
    }

    /// <summary>Starts a server with empty databases.</summary>
    /// <param name="databases">Their names, such as <c>uploads</c>.</param>
    public static async Task<NativePostgres> StartAsync(params string[] databases)
    {
        ArgumentNullException.ThrowIfNull(databases);
        var port = NativeServer.FreePort();
        var superuserPassword = NativeServer.NewPassword();
        var passwords = new Dictionary<string, string>(StringComparer.Ordinal);
        var directory = NativeServer.MakeDirectory("postgres");
        var variables = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["FLURRTY_PG_DATA"] = Path.Combine(directory, "data"),
            ["FLURRTY_PG_PORT"] = $"{port}",
            ["FLURRTY_PG_SUPERUSER_PASSWORD"] = superuserPassword,
            ["FLURRTY_PG_DATABASES"] = string.Join(' ', databases),
        };
        foreach (var database in databases)
        {
            foreach (var role in new[] { "owner", "app", "dispatcher" })
            {
                var password = NativeServer.NewPassword();
                passwords[$"{database}_{role}"] = password;
                variables[$"FLURRTY_PG_{database.ToUpperInvariant()}_{role.ToUpperInvariant()}_PASSWORD"] = password;
            }
        }

        var server = await NativeServer.StartAsync("postgres.sh", directory, variables, IsReadyAsync);
        return new NativePostgres(server, port, superuserPassword, passwords);

        // The rights on the schema are the last thing that the script gives.
        async Task IsReadyAsync()
        {
            foreach (var database in databases)
            {
                await using var connection = new NpgsqlConnection(ConnectionString(port, database, $"{database}_dispatcher", passwords[$"{database}_dispatcher"], pooling: false));
                await connection.OpenAsync();
                await using var command = new NpgsqlCommand("SELECT has_schema_privilege(current_user, 'public', 'USAGE')", connection);
                if (await command.ExecuteScalarAsync() is not true)
                {
                    throw new InvalidOperationException($"{database} has no rights yet");
                }
            }
        }
    }

    /// <summary>Connects as the role that owns the schema; for migrations only.</summary>
    /// <param name="database">The database.</param>
    public string Owner(string database) => For(database, "owner");

    /// <summary>Connects as the role of the service.</summary>
    /// <param name="database">The database.</param>
    public string App(string database) => For(database, "app");

    /// <summary>Connects as the role that may only execute claim functions.</summary>
    /// <param name="database">The database.</param>
    public string Dispatcher(string database) => For(database, "dispatcher");

    /// <summary>Connects as the superuser, whom no policy binds: to look at everything.</summary>
    /// <param name="database">The database.</param>
    public string Superuser(string database) => ConnectionString(_port, database, "postgres", _superuserPassword, pooling: true);

    /// <summary>Brings a database's schema to its present form, as owner.</summary>
    /// <param name="database">The database.</param>
    /// <param name="open">Makes the context.</param>
    public async Task MigrateAsync<TContext>(string database, Func<DbContextOptions<TContext>, TContext> open)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(open);
        await using var context = open(new DbContextOptionsBuilder<TContext>().UseNpgsql(Owner(database)).UseTenantNames().Options);
        await context.Database.MigrateAsync();
    }

    /// <summary>Stops the server and keeps its data.</summary>
    public Task StopAsync() => _server.StopAsync();

    /// <summary>Starts it again, with the same data, port and passwords.</summary>
    public Task StartAgainAsync() => _server.StartAsync();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        await _server.DisposeAsync();
    }

    private string For(string database, string role) => ConnectionString(_port, database, $"{database}_{role}", _passwords[$"{database}_{role}"], pooling: true);

    private static string ConnectionString(int port, string database, string user, string password, bool pooling) => new NpgsqlConnectionStringBuilder
    {
        Host = "127.0.0.1",
        Port = port,
        Database = database,
        Username = user,
        Password = password,
        Pooling = pooling,
        IncludeErrorDetail = true,
    }.ConnectionString;
}
