using System.Globalization;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace Flurrty.Infrastructure.Tests;

internal sealed class S3Server() : NativeServer("s3.sh")
{
    /// <summary>Programs that are found before the machine's own.</summary>
    internal string? Programs { get; set; }

    /// <summary>What <c>FLURRTY_S3_SERVER</c> says.</summary>
    internal string Wanted { get; set; } = "swift";

    protected override IEnumerable<KeyValuePair<string, string>> Variables =>
    [
        new("PATH", Programs is null ? Environment.GetEnvironmentVariable("PATH")! : $"{Programs}:{Environment.GetEnvironmentVariable("PATH")}"),
        new("FLURRTY_S3_SERVER", Wanted),
        new("FLURRTY_S3_DATA", Data),
        new("FLURRTY_S3_PORT", Port.ToString(CultureInfo.InvariantCulture)),
        new("FLURRTY_S3_USERS", "uploads:service=secret-one training:service=secret-two"),
    ];

    internal override async Task UseAsync()
    {
        using var client = Connect("uploads:service", "secret-one");
        try
        {
            await client.PutBucketAsync("probe");
        }
        catch (BucketAlreadyOwnedByYouException)
        {
            // From an earlier look.
        }

        await PutAsync(client, "probe", "key", "value");
        Assert.Equal("value", await GetAsync(client, "probe", "key"));
    }

    internal AmazonS3Client Connect(string accessKey, string secret) => new(new BasicAWSCredentials(accessKey, secret), new AmazonS3Config
    {
        ServiceURL = $"http://127.0.0.1:{Port}",
        ForcePathStyle = true,
        AuthenticationRegion = "us-east-1",
        UseHttp = true,
        MaxErrorRetry = 0,
    });

    internal static Task PutAsync(AmazonS3Client client, string bucket, string key, string text) =>
        client.PutObjectAsync(new PutObjectRequest { BucketName = bucket, Key = key, ContentBody = text });

    internal static async Task<string> GetAsync(AmazonS3Client client, string bucket, string key)
    {
        using var found = await client.GetObjectAsync(bucket, key);
        using var reader = new StreamReader(found.ResponseStream);
        return await reader.ReadToEndAsync();
    }
}
