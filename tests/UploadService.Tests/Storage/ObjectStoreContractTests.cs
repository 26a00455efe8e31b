using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Flurrty.UploadService.Tests.Fixtures;

namespace Flurrty.UploadService.Tests.Storage;

/// <summary>What every store must do.</summary>
[Collection(UploadsCollection.Name)]
public sealed class ObjectStoreContractTests(UploadsFixture uploads) : ObjectStoreTests(uploads)
{
    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Object_OfAnySize_IsReadBackAsItWasPut(string name)
    {
        var store = await OpenAsync(name);
        foreach (var size in new[] { 0, 1, 65_537, PartBytes + 1 })
        {
            var bytes = Bytes(size);
            var key = $"{Prefix}size-{size}";
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
        _ = await store.PutAsync($"{Prefix}forward", new ForwardStream(bytes), bytes.Length, Binary, CancellationToken.None);
        Assert.Equal(bytes, await ReadAsync(store, $"{Prefix}forward"));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Object_PutAgain_IsReplacedWhole(string name)
    {
        var store = await OpenAsync(name);
        var key = $"{Prefix}again";
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
            var key = $"{Prefix}stream-{size}";
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
            var key = $"{Prefix}failed-{size}";
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

        _ = await store.PutStreamingAsync($"{Prefix}failed-10", async (output, token) => await output.WriteAsync(Bytes(10), token), Binary, CancellationToken.None);
        Assert.NotNull(await store.HeadAsync($"{Prefix}failed-10", CancellationToken.None));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Object_WhoseTransferEndsEarly_LeavesNoParts(string name)
    {
        var store = await OpenAsync(name);
        using var client = Connect(name);
        var key = $"{Prefix}parts";
        var visible = await client.InitiateMultipartUploadAsync(store.Bucket, key);
        Assert.Equal(1, await UploadsAsync(client, store.Bucket, key));
        await client.AbortMultipartUploadAsync(store.Bucket, key, visible.UploadId);

        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => store.PutStreamingAsync(
            key,
            async (output, token) =>
            {
                await output.WriteAsync(Bytes((3 * PartBytes) + 1), token);
                Assert.Equal(1, await UploadsAsync(client, store.Bucket, key));
                throw new InvalidTimeZoneException();
            },
            Binary,
            CancellationToken.None));
        Assert.Equal(0, await UploadsAsync(client, store.Bucket, key));

        using var impatient = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => store.PutStreamingAsync(
            key,
            async (output, token) =>
            {
                await output.WriteAsync(Bytes((2 * PartBytes) + 1), token);
                await impatient.CancelAsync();
                await output.WriteAsync(Bytes(2 * PartBytes), token);
            },
            Binary,
            impatient.Token));
        Assert.Equal(0, await UploadsAsync(client, store.Bucket, key));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Object_Deleted_IsGoneAndDeletingItAgainIsNoError(string name)
    {
        var store = await OpenAsync(name);
        var key = $"{Prefix}deleted";
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
        var keys = Enumerable.Range(0, 1003).Select(number => $"{Prefix}list/{number.ToString("d4", CultureInfo.InvariantCulture)}").ToArray();
        await Parallel.ForEachAsync(keys, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (key, token) => _ = await store.PutAsync(key, new MemoryStream([1]), 1, Binary, token));
        _ = await store.PutAsync($"{Prefix}listed-not", new MemoryStream([1]), 1, Binary, CancellationToken.None);
        Assert.Equal(keys, await KeysAsync(store, $"{Prefix}list/"));
        Assert.Empty(await KeysAsync(store, $"{Prefix}none/"));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task PresignedGet_ReadsItsObjectAndNothingElse(string name)
    {
        var store = await OpenAsync(name);
        var bytes = Bytes(1000);
        foreach (var key in new[] { "mine", "other" })
        {
            _ = await store.PutAsync(Prefix + key, new MemoryStream(bytes), bytes.Length, Binary, CancellationToken.None);
        }

        var url = store.PresignGet($"{Prefix}mine", TimeSpan.FromMinutes(5));
        Assert.Equal(bytes, await Plain.GetByteArrayAsync(url));
        using var other = await Plain.GetAsync(new Uri(url.AbsoluteUri.Replace($"{Prefix}mine", $"{Prefix}other", StringComparison.Ordinal)));
        Assert.Equal(HttpStatusCode.Forbidden, other.StatusCode);
        using var put = await Plain.PutAsync(url, new ByteArrayContent([1]));
        Assert.Equal(HttpStatusCode.Forbidden, put.StatusCode);
        using var late = await Plain.GetAsync(store.PresignGet($"{Prefix}mine", TimeSpan.FromSeconds(-60)));
        Assert.Contains(late.StatusCode, new[] { HttpStatusCode.Forbidden, HttpStatusCode.BadRequest });
        Assert.Equal(bytes, await ReadAsync(store, $"{Prefix}mine"));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task PresignedPut_TakesThePromisedBytesOnly(string name)
    {
        var store = await OpenAsync(name);
        var bytes = Bytes(1000);
        var key = $"{Prefix}put";
        var put = store.PresignPut(key, bytes.Length, "image/jpeg", SHA256.HashData(bytes), TimeSpan.FromMinutes(5));
        Assert.Equal(HttpStatusCode.Forbidden, await SendAsync(put, Bytes(1001)));
        Assert.Equal(HttpStatusCode.Forbidden, await SendAsync(put, Bytes(999)));
        Assert.Equal(HttpStatusCode.Forbidden, await SendAsync(put with { Url = new Uri(put.Url.AbsoluteUri.Replace(key, $"{Prefix}elsewhere", StringComparison.Ordinal)) }, bytes));
        Assert.Null(await store.HeadAsync(key, CancellationToken.None));

        // Of a store that knows no checksums the service compares them itself.
        var other = await SendAsync(put, Bytes(1000, seed: 8));
        Assert.True(other == HttpStatusCode.BadRequest || (name != Swift && other == HttpStatusCode.OK), $"{other}");
        Assert.Equal(HttpStatusCode.OK, await SendAsync(put, bytes));
        Assert.Equal(bytes, await ReadAsync(store, key));
        var late = store.PresignPut(key, bytes.Length, "image/jpeg", SHA256.HashData(bytes), TimeSpan.FromSeconds(-60));
        Assert.Contains(await SendAsync(late, bytes), new[] { HttpStatusCode.Forbidden, HttpStatusCode.BadRequest });
    }

    private static async Task<int> UploadsAsync(AmazonS3Client client, string bucket, string prefix) =>
        (await client.ListMultipartUploadsAsync(new ListMultipartUploadsRequest { BucketName = bucket, Prefix = prefix })).MultipartUploads?.Count ?? 0;

    // The store has no need to list uploads, so the test does it itself.
    private AmazonS3Client Connect(string name)
    {
        var connection = Connection(name);
        return new AmazonS3Client(
            new BasicAWSCredentials((string)connection["AccessKey"], (string)connection["SecretKey"]),
            new AmazonS3Config { ServiceURL = (string)connection["Endpoint"], ForcePathStyle = true, AuthenticationRegion = (string)connection["Region"] });
    }

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
