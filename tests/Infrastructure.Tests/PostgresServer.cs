using System.Globalization;
using Npgsql;

namespace Flurrty.Infrastructure.Tests;

internal sealed class PostgresServer(string? home = null) : NativeServer("postgres.sh", home)
{
    internal string Generation { get; set; } = "first";

    protected override IEnumerable<KeyValuePair<string, string>> Variables
    {
        get
        {
            yield return new("FLURRTY_PG_DATA", Data);
            yield return new("FLURRTY_PG_PORT", Port.ToString(CultureInfo.InvariantCulture));
            yield return new("FLURRTY_PG_SUPERUSER_PASSWORD", Password("postgres"));
            yield return new("FLURRTY_PG_DATABASES", "uploads training");
            foreach (var database in (string[])["uploads", "training"])
            {
                foreach (var role in (string[])["owner", "app", "dispatcher"])
                {
                    yield return new($"FLURRTY_PG_{database}_{role}_PASSWORD".ToUpperInvariant(), Password($"{database}_{role}"));
                }
            }
        }
    }

    internal override async Task UseAsync() => Assert.Equal("training_dispatcher", await ScalarAsync("training_dispatcher", "training", "SELECT current_user"));

    internal string Password(string role) => $"{Generation} 'quoted' {role}";

    internal async Task<NpgsqlConnection> ConnectAsync(string role, string database)
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder
        {
            Host = "127.0.0.1",
            Port = Port,
            Username = role,
            Password = Password(role),
            Database = database,
            Pooling = false,
        }.ConnectionString);
        await connection.OpenAsync();
        return connection;
    }

    internal async Task<object?> ScalarAsync(string role, string database, string sql)
    {
        await using var connection = await ConnectAsync(role, database);
        await using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The statements are the tests' own.
        command.CommandText = sql;
#pragma warning restore CA2100
        return await command.ExecuteScalarAsync();
    }

    internal async Task<string?> RefusalAsync(string role, string database, string sql) =>
        (await Record.ExceptionAsync(() => ScalarAsync(role, database, sql)) as PostgresException)?.SqlState;
}
