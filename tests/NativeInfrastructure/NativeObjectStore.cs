using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace Flurrty.NativeInfrastructure;

/// <summary>An S3 store with an account for each service; access keys are <c>account:service</c>.</summary>
public sealed class NativeObjectStore : IAsyncDisposable
{
    private readonly NativeServer _server;
    private readonly int _port;
    private readonly Dictionary<string, string> _secrets;

    private NativeObjectStore(NativeServer server, int port, Dictionary<string, string> secrets)
    {
        _server = server;
        _port = port;
        _secrets = secrets;
    }

    /// <summary>Starts a store.</summary>
    /// <param name="accounts">Its accounts, such as <c>uploads</c>.</param>
    public static async Task<NativeObjectStore> StartAsync(params string[] accounts)
    {
        ArgumentNullException.ThrowIfNull(accounts);
        var port = NativeServer.FreePort();
        var secrets = accounts.ToDictionary(account => account, _ => NativeServer.NewPassword(), StringComparer.Ordinal);
        var directory = NativeServer.MakeDirectory("s3");
        var variables = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["FLURRTY_S3_SERVER"] = "swift",
            ["FLURRTY_S3_DATA"] = Path.Combine(directory, "data"),
            ["FLURRTY_S3_PORT"] = $"{port}",
            ["FLURRTY_S3_USERS"] = string.Join(' ', secrets.Select(account => $"{account.Key}:service={account.Value}")),
        };
        var server = await NativeServer.StartAsync("s3.sh", directory, variables, IsReadyAsync);
        return new NativeObjectStore(server, port, secrets);

        // The store answers before it can keep anything, so it is ready when it has kept something.
        async Task IsReadyAsync()
        {
            using var client = Connect(port, accounts[0], secrets[accounts[0]], maxRetries: 0);
            try
            {
                _ = await client.PutBucketAsync(new PutBucketRequest { BucketName = "ready" });
            }
            catch (AmazonS3Exception problem) when (problem.StatusCode == System.Net.HttpStatusCode.Conflict)
            {
                // Made by an earlier attempt.
            }

            _ = await client.PutObjectAsync(new PutObjectRequest { BucketName = "ready", Key = "ready", ContentBody = "ready" });
            using var answer = await client.GetObjectAsync("ready", "ready");
            _ = await client.DeleteObjectAsync("ready", "ready");
            _ = await client.DeleteBucketAsync("ready");
        }
    }

    /// <summary>The connection string of a bucket, as a service has it.</summary>
    /// <param name="account">The account.</param>
    /// <param name="bucket">The bucket.</param>
    public string For(string account, string bucket) =>
        $"Endpoint=http://127.0.0.1:{_port};AccessKey={account}:service;SecretKey={_secrets[account]};Region=us-east-1;Bucket={bucket}";

    /// <summary>A client of an account, to look at what a service has stored.</summary>
    /// <param name="account">The account.</param>
    public AmazonS3Client Open(string account) => Connect(_port, account, _secrets[account], maxRetries: 3);

    /// <summary>Stops the server and keeps its data.</summary>
    public Task StopAsync() => _server.StopAsync();

    /// <summary>Starts it again, with the same data, port and passwords.</summary>
    public Task StartAgainAsync() => _server.StartAsync();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private static AmazonS3Client Connect(int port, string account, string secret, int maxRetries) => new(
        new BasicAWSCredentials($"{account}:service", secret),
        new AmazonS3Config
        {
            ServiceURL = $"http://127.0.0.1:{port}",
            ForcePathStyle = true,
            AuthenticationRegion = "us-east-1",
            UseHttp = true,
            MaxErrorRetry = maxRetries,
            Timeout = Deadline.Step,
        });
}
