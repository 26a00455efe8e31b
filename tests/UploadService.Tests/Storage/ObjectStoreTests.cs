using System.Data.Common;
using System.Net;
using Amazon.Runtime;
using Flurrty.ServiceDefaults.Storage;
using Flurrty.UploadService.Tests.Fixtures;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Flurrty.UploadService.Tests.Storage;

/// <summary>
/// An <see cref="ObjectStore"/> over each server there is: the native Swift, and the server at <c>FLURRTY_S3_URL</c> when that is set, with
/// <c>FLURRTY_S3_ACCESS_KEY</c>, <c>FLURRTY_S3_SECRET_KEY</c> and, if need be, <c>FLURRTY_S3_REGION</c> and <c>FLURRTY_S3_BUCKET</c>.
/// </summary>
public abstract class ObjectStoreTests(UploadsFixture uploads) : IAsyncLifetime
{
    protected const string Swift = "swift";
    protected const string Binary = "application/octet-stream";
    protected const int PartBytes = 8 * 1024 * 1024;

    private static readonly string? Other = Environment.GetEnvironmentVariable("FLURRTY_S3_URL");

    private readonly List<IHost> _hosts = [];

    public static TheoryData<string> Stores => Other is null ? [Swift] : [Swift, Other];

    protected static HttpClient Plain { get; } = new();

    /// <summary>The keys of one test begin with it.</summary>
    protected string Prefix { get; } = $"contract-{Guid.NewGuid():n}/";

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var host in _hosts)
        {
            var store = host.Services.GetRequiredService<ObjectStore>();
            foreach (var key in await KeysAsync(store, Prefix))
            {
                await store.DeleteAsync(key, CancellationToken.None);
            }

            await host.StopAsync();
            host.Dispose();
        }
    }

    protected static byte[] Bytes(int size, int seed = 1)
    {
        var bytes = new byte[size];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private protected static async Task<byte[]> ReadAsync(ObjectStore store, string key)
    {
        await using var content = await store.GetAsync(key, CancellationToken.None);
        return await ReadAsync(content);
    }

    protected static async Task<byte[]> ReadAsync(Stream content)
    {
        var bytes = new MemoryStream();
        await content.CopyToAsync(bytes);
        return bytes.ToArray();
    }

    private protected static async Task<List<string>> KeysAsync(ObjectStore store, string prefix)
    {
        var keys = new List<string>();
        await foreach (var key in store.ListAsync(prefix, CancellationToken.None))
        {
            keys.Add(key);
        }

        return keys;
    }

    /// <summary>The parts of the connection string that a store is opened with.</summary>
    protected DbConnectionStringBuilder Connection(string name) => new()
    {
        ConnectionString = name == Swift
            ? uploads.Store.For("uploads", "contract")
            : $"Endpoint={name};AccessKey={Variable("ACCESS_KEY")};SecretKey={Variable("SECRET_KEY")};Region={Variable("REGION", "us-east-1")};Bucket={Variable("BUCKET", "flurrty-contract")}",
    };

    private protected static async Task<HttpStatusCode> SendAsync(PresignedPut put, byte[] bytes)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, put.Url) { Content = new ByteArrayContent(bytes) };
        foreach (var (header, value) in put.Headers.Where(header => header.Key != "content-length"))
        {
            if (!request.Headers.TryAddWithoutValidation(header, value))
            {
                request.Content.Headers.TryAddWithoutValidation(header, value);
            }
        }

        using var answer = await Plain.SendAsync(request);
        return answer.StatusCode;
    }

    private protected async Task<ObjectStore> OpenAsync(string name)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>(StringComparer.Ordinal) { ["ConnectionStrings:contract"] = Connection(name).ConnectionString });
        builder.AddObjectStore("contract");
        var host = builder.Build();
        _hosts.Add(host);
        await host.StartAsync();
        var store = host.Services.GetRequiredService<ObjectStore>();
        await Eventually.TrueAsync(async () =>
        {
            try
            {
                return (await KeysAsync(store, Prefix) is [], "a bucket with objects of another test");
            }
            catch (Exception problem) when (problem is AmazonServiceException or AmazonClientException)
            {
                return (false, problem.Message);
            }
        });
        return store;
    }

    private static string Variable(string name, string? otherwise = null) =>
        Environment.GetEnvironmentVariable($"FLURRTY_S3_{name}") ?? otherwise ?? throw new InvalidOperationException($"FLURRTY_S3_URL is set, so FLURRTY_S3_{name} must be too.");
}
