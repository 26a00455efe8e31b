using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using Flurrty.UploadService.Tests.Fixtures;
using Minio;
using Minio.DataModel.Args;
using Minio.DataModel.Response;
using Minio.Exceptions;

namespace Flurrty.UploadService.Tests.Storage;

/// <summary>
/// The same store through MinIO's client: what either of the two writes the other one reads, so that nothing which is stored, signed or listed is
/// particular to the client that the product uses.
/// </summary>
[Collection(UploadsCollection.Name)]
public sealed class SecondClientTests(UploadsFixture uploads) : ObjectStoreTests(uploads)
{
    private const string Jpeg = "image/jpeg";
    private const int Lifetime = 300;

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Object_PutByTheStore_IsTheSameToMinio(string name)
    {
        var store = await OpenAsync(name);
        using var minio = Connect(name);
        foreach (var size in new[] { 1, 65_537, PartBytes + 1 })
        {
            var bytes = Bytes(size);
            var key = $"{Prefix}ours-{size}";
            var put = await store.PutAsync(key, new MemoryStream(bytes), size, Jpeg, CancellationToken.None);

            var seen = await minio.StatObjectAsync(new StatObjectArgs().WithBucket(store.Bucket).WithObject(key));
            Assert.Equal((put.Bytes, put.ETag, Jpeg), (seen.Size, seen.ETag.Trim('"'), seen.ContentType));
            Assert.Equal(bytes, await ReadAsync(minio, store.Bucket, key));
        }
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Object_PutByTheStoreInParts_IsTheSameToMinio(string name)
    {
        var store = await OpenAsync(name);
        using var minio = Connect(name);
        foreach (var size in new[] { 10, (2 * PartBytes) + 3 })
        {
            var bytes = Bytes(size);
            var key = $"{Prefix}ours-stream-{size}";
            var put = await store.PutStreamingAsync(key, async (output, token) => await output.WriteAsync(bytes, token), Jpeg, CancellationToken.None);

            var seen = await minio.StatObjectAsync(new StatObjectArgs().WithBucket(store.Bucket).WithObject(key));
            Assert.Equal((put.Bytes, put.ETag, Jpeg), (seen.Size, seen.ETag.Trim('"'), seen.ContentType));
            Assert.Equal(bytes, await ReadAsync(minio, store.Bucket, key));
        }
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Object_PutByMinio_IsTheSameToTheStore(string name)
    {
        var store = await OpenAsync(name);
        using var minio = Connect(name);

        // MinIO's client makes parts of 16 MiB.
        foreach (var (size, told) in new[] { (1, true), (65_537, true), ((2 * PartBytes) + 1, true), ((2 * PartBytes) + 1, false) })
        {
            var bytes = Bytes(size);
            var key = $"{Prefix}theirs-{size}-{told}";
            var put = await minio.PutObjectAsync(
                new PutObjectArgs().WithBucket(store.Bucket).WithObject(key).WithStreamData(new MemoryStream(bytes)).WithObjectSize(told ? size : -1).WithContentType(Jpeg));

            var head = await store.HeadAsync(key, CancellationToken.None);
            Assert.Equal((size, put.Etag.Trim('"')), (head!.Bytes, head.ETag));
            Assert.Equal(bytes, await ReadAsync(store, key));
            await using var unverified = await store.GetUnverifiedAsync(key, CancellationToken.None);
            Assert.Equal(bytes, await ReadAsync(unverified));
        }
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Object_PutAgainByMinio_IsReplacedWhole(string name)
    {
        var store = await OpenAsync(name);
        using var minio = Connect(name);
        var key = $"{Prefix}again";
        _ = await store.PutStreamingAsync(key, async (output, token) => await output.WriteAsync(Bytes(PartBytes + 1), token), Binary, CancellationToken.None);
        var second = Bytes(10, seed: 7);

        await PutAsync(minio, store.Bucket, key, second);
        Assert.Equal(second, await ReadAsync(store, key));

        var third = Bytes(1000, seed: 8);
        _ = await store.PutAsync(key, new MemoryStream(third), third.Length, Binary, CancellationToken.None);
        Assert.Equal(third, await ReadAsync(minio, store.Bucket, key));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Object_WhoseWriterFails_IsNotThereForMinio(string name)
    {
        var store = await OpenAsync(name);
        using var minio = Connect(name);
        var key = $"{Prefix}failed";
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => store.PutStreamingAsync(
            key,
            async (output, token) =>
            {
                await output.WriteAsync(Bytes((2 * PartBytes) + 1), token);
                throw new InvalidTimeZoneException();
            },
            Binary,
            CancellationToken.None));

        await Assert.ThrowsAsync<ObjectNotFoundException>(() => ReadAsync(minio, store.Bucket, key));
        await PutAsync(minio, store.Bucket, key, Bytes(10));
        Assert.Equal(Bytes(10), await ReadAsync(minio, store.Bucket, key));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Object_DeletedByEither_IsGoneForBoth(string name)
    {
        var store = await OpenAsync(name);
        using var minio = Connect(name);
        var (ours, theirs) = ($"{Prefix}ours", $"{Prefix}theirs");
        foreach (var key in new[] { ours, theirs })
        {
            _ = await store.PutAsync(key, new MemoryStream(Bytes(10)), 10, Binary, CancellationToken.None);
            Assert.Equal(Bytes(10), await ReadAsync(minio, store.Bucket, key));
        }

        await store.DeleteAsync(ours, CancellationToken.None);
        await minio.RemoveObjectAsync(new RemoveObjectArgs().WithBucket(store.Bucket).WithObject(theirs));

        foreach (var key in new[] { ours, theirs })
        {
            await Assert.ThrowsAsync<ObjectNotFoundException>(() => ReadAsync(minio, store.Bucket, key));
            Assert.Null(await store.HeadAsync(key, CancellationToken.None));
            await store.DeleteAsync(key, CancellationToken.None);
        }
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Listing_ByEither_HasTheSameKeysInTheSameOrder(string name)
    {
        var store = await OpenAsync(name);
        using var minio = Connect(name);
        var keys = Enumerable.Range(0, 1003).Select(number => $"{Prefix}list/{number.ToString("d4", CultureInfo.InvariantCulture)}").ToArray();
        await Parallel.ForEachAsync(keys, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (key, token) => _ = await store.PutAsync(key, new MemoryStream([1]), 1, Binary, token));

        var seen = new List<string>();
        await foreach (var item in minio.ListObjectsEnumAsync(new ListObjectsArgs().WithBucket(store.Bucket).WithPrefix($"{Prefix}list/").WithRecursive(true)))
        {
            seen.Add(item.Key);
        }

        Assert.Equal(keys, seen);
        Assert.Equal(keys, await KeysAsync(store, $"{Prefix}list/"));

        Assert.Empty(await minio.RemoveObjectsAsync(new RemoveObjectsArgs().WithBucket(store.Bucket).WithObjects(keys)));
        Assert.Empty(await KeysAsync(store, $"{Prefix}list/"));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task PresignedGet_OfEither_ReadsWhatTheOtherPut(string name)
    {
        var store = await OpenAsync(name);
        using var minio = Connect(name);
        var (ours, theirs) = ($"{Prefix}ours of märz +1", $"{Prefix}theirs of märz +1");
        _ = await store.PutAsync(ours, new MemoryStream(Bytes(1000)), 1000, Binary, CancellationToken.None);
        await PutAsync(minio, store.Bucket, theirs, Bytes(1000, seed: 2));

        using var answer = await minio.WrapperGetAsync(store.PresignGet(theirs, TimeSpan.FromSeconds(Lifetime)));
        Assert.Equal(Bytes(1000, seed: 2), await answer.Content.ReadAsByteArrayAsync());

        var url = new Uri(await minio.PresignedGetObjectAsync(new PresignedGetObjectArgs().WithBucket(store.Bucket).WithObject(ours).WithExpiry(Lifetime)));
        Assert.Equal(Bytes(1000), await Plain.GetByteArrayAsync(url));
        using var other = await Plain.GetAsync(new Uri(url.AbsoluteUri.Replace("/ours", "/theirs", StringComparison.Ordinal)));
        Assert.Equal(HttpStatusCode.Forbidden, other.StatusCode);
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task PresignedPut_OfEither_IsReadByTheOther(string name)
    {
        var store = await OpenAsync(name);
        using var minio = Connect(name);
        var (ours, theirs) = ($"{Prefix}ours", $"{Prefix}theirs");
        var bytes = Bytes(1000);

        Assert.Equal(HttpStatusCode.OK, await SendAsync(store.PresignPut(ours, bytes.Length, Jpeg, SHA256.HashData(bytes), TimeSpan.FromSeconds(Lifetime)), bytes));
        Assert.Equal(bytes, await ReadAsync(minio, store.Bucket, ours));

        var url = new Uri(await minio.PresignedPutObjectAsync(new PresignedPutObjectArgs().WithBucket(store.Bucket).WithObject(theirs).WithExpiry(Lifetime)));
        using var put = await Plain.PutAsync(url, new ByteArrayContent(bytes));
        Assert.Equal(HttpStatusCode.OK, put.StatusCode);
        Assert.Equal(bytes, await ReadAsync(store, theirs));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Credentials_Wrong_AreRefusedToMinioToo(string name)
    {
        var store = await OpenAsync(name);
        var key = $"{Prefix}mine";
        using var right = Connect(name);
        await PutAsync(right, store.Bucket, key, Bytes(10));
        Assert.Equal(Bytes(10), await ReadAsync(right, store.Bucket, key));

        using var wrong = Connect(name, secret: "not-the-secret");
        await Assert.ThrowsAnyAsync<MinioException>(() => ReadAsync(wrong, store.Bucket, key));
        await Assert.ThrowsAsync<AuthorizationException>(() => PutAsync(wrong, store.Bucket, key, Bytes(20)));
        Assert.Equal(Bytes(10), await ReadAsync(store, key));
    }

    private static Task<PutObjectResponse> PutAsync(IMinioClient minio, string bucket, string key, byte[] bytes) => minio.PutObjectAsync(
        new PutObjectArgs().WithBucket(bucket).WithObject(key).WithStreamData(new MemoryStream(bytes)).WithObjectSize(bytes.Length).WithContentType(Binary));

    private static async Task<byte[]> ReadAsync(IMinioClient minio, string bucket, string key)
    {
        byte[] bytes = [];
        _ = await minio.GetObjectAsync(new GetObjectArgs().WithBucket(bucket).WithObject(key).WithCallbackStream(async (content, _) => bytes = await ReadAsync(content)));
        return bytes;
    }

    private IMinioClient Connect(string name, string? secret = null)
    {
        var connection = Connection(name);
        var endpoint = new Uri((string)connection["Endpoint"]);
        return new MinioClient()
            .WithEndpoint(endpoint.Authority)
            .WithSSL(string.Equals(endpoint.Scheme, Uri.UriSchemeHttps, StringComparison.Ordinal))
            .WithCredentials((string)connection["AccessKey"], secret ?? (string)connection["SecretKey"])
            .WithRegion((string)connection["Region"])
            .Build();
    }
}
