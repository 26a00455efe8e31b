using Flurrty.ServiceDefaults.Storage;
using Flurrty.UploadService.Storage;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Flurrty.UploadService.Tests.Fixtures;

/// <summary>Looks at the store and the database from outside the service.</summary>
internal static class StoreChecks
{
    public static async Task<List<string>> KeysAsync(this UploadsFixture uploads)
    {
        var keys = new List<string>();
        await foreach (var key in uploads.Services.GetRequiredService<ObjectStore>().ListAsync("", CancellationToken.None))
        {
            keys.Add(key);
        }

        return keys;
    }

    public static async Task<byte[]> ObjectAsync(this UploadsFixture uploads, string key)
    {
        using var client = uploads.Store.Open("uploads");
        using var answer = await client.GetObjectAsync("photos", key);
        var bytes = new MemoryStream();
        await answer.ResponseStream.CopyToAsync(bytes);
        return bytes.ToArray();
    }

    public static async Task WaitForKeysAsync(this UploadsFixture uploads, string part, int count) => await Eventually.TrueAsync(async () =>
    {
        var keys = (await uploads.KeysAsync()).Where(key => key.Contains(part, StringComparison.Ordinal)).ToArray();
        return (keys.Length == count, string.Join(' ', keys));
    });

    public static async Task<List<string>> QueryAsync(string connection, string sql, params object[] parameters)
    {
        await using var source = NpgsqlDataSource.Create(connection);
        await using var command = source.CreateCommand(sql);
        foreach (var parameter in parameters)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = parameter });
        }

        var rows = new List<string>();
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            rows.Add(string.Join('|', Enumerable.Range(0, reader.FieldCount).Select(column => reader.GetValue(column).ToString())));
        }

        return rows;
    }

    /// <summary>Every object that a row names is there, and every other object is gone once what is scheduled has been swept.</summary>
    public static async Task EverythingMatchesAsync(this UploadsFixture uploads)
    {
        var superuser = uploads.Postgres.Superuser("uploads");
        var sweeper = uploads.Services.GetRequiredService<RemovalSweeper>();
        var expiry = uploads.Services.GetRequiredService<ExpirySweeper>();
        await Eventually.TrueAsync(
            async () =>
            {
                // Nothing is under way in this test any more, so neither expiry nor grace need be waited for.
                _ = await QueryAsync(superuser, "UPDATE pending_uploads SET expires_at = clock_timestamp() WHERE expires_at > clock_timestamp()");
                _ = await expiry.EndUploadsAsync(CancellationToken.None);
                _ = await QueryAsync(superuser, "UPDATE scheduled_removals SET due_at = clock_timestamp() WHERE due_at > clock_timestamp()");
                _ = await sweeper.SweepAsync(CancellationToken.None);
                var named = await QueryAsync(superuser, """
                    SELECT replace(account_id::text, '-', '') || '/' || replace(photo_set_id::text, '-', '') || '/' || replace(id::text, '-', '') || ending
                    FROM photos, unnest(ARRAY['.jpg', '.thumbnail.jpg', '.original']) AS ending WHERE ending <> '.original' OR original_bytes > 0
                    UNION SELECT object_key FROM sealed_photos UNION SELECT object_key FROM datasets
                    """);
                var stored = await uploads.KeysAsync();
                var thumbnailsOfSealed = stored.Where(key => named.Contains(key.Replace(".thumbnail.jpg", ".jpg", StringComparison.Ordinal), StringComparer.Ordinal));
                var lost = named.Except(stored, StringComparer.Ordinal).ToArray();
                var orphans = stored.Except(named, StringComparer.Ordinal).Except(thumbnailsOfSealed, StringComparer.Ordinal).ToArray();
                var pending = await QueryAsync(superuser, "SELECT id FROM pending_uploads");
                return (lost.Length == 0 && orphans.Length == 0 && pending.Count == 0,
                    $"without object: {string.Join(' ', lost)}; without row: {string.Join(' ', orphans)}; not ended: {string.Join(' ', pending)}");
            });
    }
}
