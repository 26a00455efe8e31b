using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using Amazon.Runtime;
using Amazon.S3;
using Flurrty.ServiceDefaults.Storage;
using Flurrty.UploadService.Tests.Fixtures;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Flurrty.UploadService.Tests.Storage;

/// <summary>
/// What every store must do, against each store there is: the native Swift, and the server at <c>FLURRTY_S3_URL</c> when that is set, with
/// <c>FLURRTY_S3_ACCESS_KEY</c>, <c>FLURRTY_S3_SECRET_KEY</c> and, if need be, <c>FLURRTY_S3_REGION</c> and <c>FLURRTY_S3_BUCKET</c>.
/// </summary>
[Collection(UploadsCollection.Name)]
public sealed class ObjectStoreContractTests(UploadsFixture uploads) : IAsyncLifetime
{
    private const string Swift = "swift";
    private const string Binary = "application/octet-stream";
    private const int PartBytes = 8 * 1024 * 1024;

    private static readonly string? Other = Environment.GetEnvironmentVariable("FLURRTY_S3_URL");
    private static readonly HttpClient Plain = new();

    private readonly string _prefix = $"contract-{Guid.NewGuid():n}/";
    private readonly List<IHost> _hosts = [];

    public static TheoryData<string> Stores => Other is null ? [Swift] : [Swift, Other];

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var host in _hosts)
        {
            var store = host.Services.GetRequiredService<ObjectStore>();
            foreach (var key in await KeysAsync(store, _prefix))
            {
                await store.DeleteAsync(key, CancellationToken.None);
            }

            await host.StopAsync();
            host.Dispose();
        }
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Object_OfAnySize_IsReadBackAsItWasPut(string name)
    {
        var store = await OpenAsync(name);
        foreach (var size in new[] { 0, 1, 65_537, PartBytes + 1 })
        {
            var bytes = Bytes(size);
            var key = $"{_prefix}size-{size}";
            var put = await store.PutAsync(key, new MemoryStream(bytes), size, Binary, CancellationToken.None);
            Assert.Equal((key, (long)size), (put.Key, put.Bytes));
            Assert.NotEmpty(put.ETag);
            var head = await store.HeadAsync(key, CancellationToken.None);
            Assert.Equal(put, head);
            Assert.Equal(bytes, await ReadAsync(store, key));
            if (size > 0)
            {
                await using var unverified = await store.GetUnverifiedAsync(key, CancellationToken.None);
                Assert.Equal(bytes, await ReadAsync(unverified));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Object_FromAStreamThatCannotSeek_IsStored(string name)
    {
        var store = await OpenAsync(name);
        var bytes = Bytes(300_000);
        _ = await store.PutAsync($"{_prefix}forward", new ForwardStream(bytes), bytes.Length, Binary, CancellationToken.None);
        Assert.Equal(bytes, await ReadAsync(store, $"{_prefix}forward"));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Object_PutAgain_IsReplacedWhole(string name)
    {
        var store = await OpenAsync(name);
        var key = $"{_prefix}again";
        _ = await store.PutAsync(key, new MemoryStream(Bytes(1000)), 1000, Binary, CancellationToken.None);
        var second = Bytes(10, seed: 7);
        _ = await store.PutAsync(key, new MemoryStream(second), second.Length, Binary, CancellationToken.None);
        Assert.Equal(second, await ReadAsync(store, key));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Object_OfUnknownLength_IsStoredInParts(string name)
    {
        var store = await OpenAsync(name);
        foreach (var size in new[] { 10, PartBytes, (5 * PartBytes) + 3 })
        {
            var bytes = Bytes(size);
            var key = $"{_prefix}stream-{size}";
            var put = await store.PutStreamingAsync(key, async (output, token) => await output.WriteAsync(bytes, token), Binary, CancellationToken.None);
            Assert.Equal(size, put.Bytes);
            Assert.Equal(size, (await store.HeadAsync(key, CancellationToken.None))!.Bytes);
            Assert.Equal(bytes, await ReadAsync(store, key));
        }
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Object_WhoseWriterFails_IsNotThere(string name)
    {
        var store = await OpenAsync(name);
        foreach (var size in new[] { 10, (2 * PartBytes) + 1 })
        {
            var key = $"{_prefix}failed-{size}";
            await Assert.ThrowsAsync<InvalidTimeZoneException>(() => store.PutStreamingAsync(
                key,
                async (output, token) =>
                {
                    await output.WriteAsync(Bytes(size), token);
                    throw new InvalidTimeZoneException();
                },
                Binary,
                CancellationToken.None));
            Assert.Null(await store.HeadAsync(key, CancellationToken.None));
        }

        _ = await store.PutStreamingAsync($"{_prefix}failed-10", async (output, token) => await output.WriteAsync(Bytes(10), token), Binary, CancellationToken.None);
        Assert.NotNull(await store.HeadAsync($"{_prefix}failed-10", CancellationToken.None));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Object_Deleted_IsGoneAndDeletingItAgainIsNoError(string name)
    {
        var store = await OpenAsync(name);
        var key = $"{_prefix}deleted";
        _ = await store.PutAsync(key, new MemoryStream(Bytes(10)), 10, Binary, CancellationToken.None);
        Assert.NotNull(await store.HeadAsync(key, CancellationToken.None));
        await store.DeleteAsync(key, CancellationToken.None);
        await store.DeleteAsync(key, CancellationToken.None);
        Assert.Null(await store.HeadAsync(key, CancellationToken.None));
        var problem = await Assert.ThrowsAnyAsync<AmazonS3Exception>(() => store.GetAsync(key, CancellationToken.None));
        Assert.Equal(HttpStatusCode.NotFound, problem.StatusCode);
        problem = await Assert.ThrowsAnyAsync<AmazonS3Exception>(() => store.GetUnverifiedAsync(key, CancellationToken.None));
        Assert.Equal(HttpStatusCode.NotFound, problem.StatusCode);
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Listing_BeyondOnePage_HasEveryKeyOnceInOrder(string name)
    {
        var store = await OpenAsync(name);
        var keys = Enumerable.Range(0, 1003).Select(number => $"{_prefix}list/{number.ToString("d4", CultureInfo.InvariantCulture)}").ToArray();
        await Parallel.ForEachAsync(keys, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (key, token) => _ = await store.PutAsync(key, new MemoryStream([1]), 1, Binary, token));
        _ = await store.PutAsync($"{_prefix}listed-not", new MemoryStream([1]), 1, Binary, CancellationToken.None);
        Assert.Equal(keys, await KeysAsync(store, $"{_prefix}list/"));
        Assert.Empty(await KeysAsync(store, $"{_prefix}none/"));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task PresignedGet_ReadsItsObjectAndNothingElse(string name)
    {
        var store = await OpenAsync(name);
        var bytes = Bytes(1000);
        foreach (var key in new[] { "mine", "other" })
        {
            _ = await store.PutAsync(_prefix + key, new MemoryStream(bytes), bytes.Length, Binary, CancellationToken.None);
        }

        var url = store.PresignGet($"{_prefix}mine", TimeSpan.FromMinutes(5));
        Assert.Equal(bytes, await Plain.GetByteArrayAsync(url));
        using var other = await Plain.GetAsync(new Uri(url.AbsoluteUri.Replace($"{_prefix}mine", $"{_prefix}other", StringComparison.Ordinal)));
        Assert.Equal(HttpStatusCode.Forbidden, other.StatusCode);
        using var put = await Plain.PutAsync(url, new ByteArrayContent([1]));
        Assert.Equal(HttpStatusCode.Forbidden, put.StatusCode);
        using var late = await Plain.GetAsync(store.PresignGet($"{_prefix}mine", TimeSpan.FromSeconds(-60)));
        Assert.Contains(late.StatusCode, new[] { HttpStatusCode.Forbidden, HttpStatusCode.BadRequest });
        Assert.Equal(bytes, await ReadAsync(store, $"{_prefix}mine"));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task PresignedPut_TakesThePromisedBytesOnly(string name)
    {
        var store = await OpenAsync(name);
        var bytes = Bytes(1000);
        var key = $"{_prefix}put";
        var put = store.PresignPut(key, bytes.Length, "image/jpeg", SHA256.HashData(bytes), TimeSpan.FromMinutes(5));
        Assert.Equal(HttpStatusCode.Forbidden, await SendAsync(put, Bytes(1001)));
        Assert.Equal(HttpStatusCode.Forbidden, await SendAsync(put, Bytes(999)));
        Assert.Equal(HttpStatusCode.Forbidden, await SendAsync(put with { Url = new Uri(put.Url.AbsoluteUri.Replace(key, $"{_prefix}elsewhere", StringComparison.Ordinal)) }, bytes));
        Assert.Null(await store.HeadAsync(key, CancellationToken.None));

        // Of a store that knows no checksums the service compares them itself.
        var other = await SendAsync(put, Bytes(1000, seed: 8));
        Assert.True(other == HttpStatusCode.BadRequest || (name != Swift && other == HttpStatusCode.OK), $"{other}");
        Assert.Equal(HttpStatusCode.OK, await SendAsync(put, bytes));
        Assert.Equal(bytes, await ReadAsync(store, key));
        var late = store.PresignPut(key, bytes.Length, "image/jpeg", SHA256.HashData(bytes), TimeSpan.FromSeconds(-60));
        Assert.Contains(await SendAsync(late, bytes), new[] { HttpStatusCode.Forbidden, HttpStatusCode.BadRequest });
    }

    private static byte[] Bytes(int size, int seed = 1)
    {
        var bytes = new byte[size];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static async Task<byte[]> ReadAsync(ObjectStore store, string key)
    {
        await using var content = await store.GetAsync(key, CancellationToken.None);
        return await ReadAsync(content);
    }

    private static async Task<byte[]> ReadAsync(Stream content)
    {
        var bytes = new MemoryStream();
        await content.CopyToAsync(bytes);
        return bytes.ToArray();
    }

    private static async Task<List<string>> KeysAsync(ObjectStore store, string prefix)
    {
        var keys = new List<string>();
        await foreach (var key in store.ListAsync(prefix, CancellationToken.None))
        {
            keys.Add(key);
        }

        return keys;
    }

    private static async Task<HttpStatusCode> SendAsync(PresignedPut put, byte[] bytes)
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

    private async Task<ObjectStore> OpenAsync(string name)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["ConnectionStrings:contract"] = name == Swift
                ? uploads.Store.For("uploads", "contract")
                : $"Endpoint={name};AccessKey={Variable("ACCESS_KEY")};SecretKey={Variable("SECRET_KEY")};Region={Variable("REGION", "us-east-1")};Bucket={Variable("BUCKET", "flurrty-contract")}",
        });
        builder.AddObjectStore("contract");
        var host = builder.Build();
        _hosts.Add(host);
        await host.StartAsync();
        var store = host.Services.GetRequiredService<ObjectStore>();
        await Eventually.TrueAsync(async () =>
        {
            try
            {
                return (await KeysAsync(store, _prefix) is [], "a bucket with objects of another test");
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

    private sealed class ForwardStream(byte[] bytes) : Stream
    {
        private int _position;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => _position; set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count)
        {
            count = Math.Min(count, bytes.Length - _position);
            bytes.AsSpan(_position, count).CopyTo(buffer.AsSpan(offset));
            _position += count;
            return count;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
