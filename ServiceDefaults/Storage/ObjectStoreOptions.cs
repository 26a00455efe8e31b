using System.Data.Common;

namespace Flurrty.ServiceDefaults.Storage;

/// <summary>A connection string of an S3 store: <c>Endpoint=…;AccessKey=…;SecretKey=…;Bucket=…[;Region=us-east-1][;PublicUrl=…]</c>.</summary>
internal sealed record ObjectStoreOptions(Uri Endpoint, string AccessKey, string SecretKey, string Bucket, string Region, Uri? PublicUrl)
{
    public static ObjectStoreOptions Parse(string name, string? connectionString)
    {
        var parts = new DbConnectionStringBuilder { ConnectionString = connectionString ?? "" };
        var missing = new[] { "Endpoint", "AccessKey", "SecretKey", "Bucket" }.Where(part => !parts.ContainsKey(part)).ToArray();
        if (missing.Length > 0)
        {
            throw new InvalidOperationException($"ConnectionStrings:{name} lacks {string.Join(", ", missing)}.");
        }

        return new ObjectStoreOptions(
            new Uri((string)parts["Endpoint"]),
            (string)parts["AccessKey"],
            (string)parts["SecretKey"],
            (string)parts["Bucket"],
            parts.TryGetValue("Region", out var region) ? (string)region : "us-east-1",
            parts.TryGetValue("PublicUrl", out var publicUrl) && publicUrl is string { Length: > 0 } text ? new Uri(text) : null);
    }
}
