using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace Flurrty.ServiceDefaults.Storage;

/// <summary>An object as the store has it.</summary>
/// <param name="Key">Its key in the bucket.</param>
/// <param name="Bytes">Its size in bytes.</param>
/// <param name="ETag">The store's tag, without quotes.</param>
public sealed record StoredObject(string Key, long Bytes, string ETag);

/// <summary>A URL that puts one object.</summary>
/// <param name="Url">The URL, a secret.</param>
/// <param name="Headers">The headers that the request must have.</param>
public sealed record PresignedPut(Uri Url, IReadOnlyDictionary<string, string> Headers);

/// <summary>One bucket of an S3 store. Every transfer is streamed.</summary>
public sealed class ObjectStore : IDisposable
{
    private const string ChecksumHeader = "x-amz-checksum-sha256";

    private readonly ObjectStoreOptions _options;
    private readonly AmazonS3Client _client;
    private readonly AmazonS3Client _presigner;

    internal ObjectStore(ObjectStoreOptions options)
    {
        _options = options;
        _client = Connect(options, options.Endpoint);
        _presigner = options.PublicUrl is null ? _client : Connect(options, options.PublicUrl);
    }

    /// <summary>The bucket.</summary>
    public string Bucket => _options.Bucket;

    /// <summary>Whether presigned URLs are made for a public host, which a provider can reach.</summary>
    public bool HasPublicUrl => _options.PublicUrl is not null;

    /// <summary>Stores an object of known length.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="content">Its bytes.</param>
    /// <param name="length">Their number.</param>
    /// <param name="contentType">Its media type.</param>
    /// <param name="cancellationToken">Ends the transfer; the store keeps nothing then.</param>
    /// <exception cref="AmazonS3Exception">The store refused.</exception>
    public async Task<StoredObject> PutAsync(string key, Stream content, long length, string contentType, CancellationToken cancellationToken)
    {
        var request = new PutObjectRequest
        {
            BucketName = Bucket,
            Key = key,
            InputStream = content,
            ContentType = contentType,
            AutoCloseStream = false,
            AutoResetStreamPosition = false,
            UseChunkEncoding = content?.CanSeek == false,
        };
        request.Headers.ContentLength = length;
        var response = await _client.PutObjectAsync(request, cancellationToken);
        return new StoredObject(key, length, Unquote(response.ETag));
    }

    /// <summary>Stores what <paramref name="write"/> writes, as a multipart upload of bounded memory.</summary>
    /// <param name="key">The object's key.</param>
    /// <param name="write">Writes the bytes to the stream that it is given.</param>
    /// <param name="contentType">The object's media type.</param>
    /// <param name="cancellationToken">Ends the transfer; the upload is aborted then.</param>
    /// <exception cref="AmazonS3Exception">The store refused.</exception>
    public async Task<StoredObject> PutStreamingAsync(string key, Func<Stream, CancellationToken, Task> write, string contentType, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(write);
        await using var upload = new MultipartUploadStream(_client, Bucket, key, contentType);
        try
        {
            await write(upload, cancellationToken);
            return await upload.CompleteAsync(cancellationToken);
        }
        catch
        {
            await upload.AbortAsync();
            throw;
        }
    }

    /// <summary>Opens an object for reading. At its end the bytes are compared with the store's MD5, where it has one.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <returns>The object's bytes; the caller disposes the stream.</returns>
    /// <exception cref="AmazonS3Exception">The object does not exist or the store refused.</exception>
    public Task<Stream> GetAsync(string key, CancellationToken cancellationToken) => GetAsync(key, range: null, cancellationToken);

    /// <summary>Opens an object that is not empty, for a caller who compares its bytes with a checksum of their own.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <returns>The object's bytes; the caller disposes the stream.</returns>
    /// <exception cref="AmazonS3Exception">The object does not exist or the store refused.</exception>
    public Task<Stream> GetUnverifiedAsync(string key, CancellationToken cancellationToken) =>
        // The SDK's MD5 is managed code, a third of the CPU of a transfer; it is left out for ranges only.
        GetAsync(key, new ByteRange("bytes=0-"), cancellationToken);

    /// <summary>Looks at an object.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <returns>The object, or null when there is none.</returns>
    public async Task<StoredObject?> HeadAsync(string key, CancellationToken cancellationToken)
    {
        try
        {
            var response = await _client.GetObjectMetadataAsync(Bucket, key, cancellationToken);
            return new StoredObject(key, response.ContentLength, Unquote(response.ETag));
        }
        catch (AmazonS3Exception exception) when (exception.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    /// <summary>Deletes an object; one that does not exist is no error.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public async Task DeleteAsync(string key, CancellationToken cancellationToken)
    {
        try
        {
            _ = await _client.DeleteObjectAsync(Bucket, key, cancellationToken);
        }
        catch (AmazonS3Exception exception) when (exception.StatusCode == HttpStatusCode.NotFound)
        {
            // Gone already.
        }
    }

    /// <summary>Makes a URL that reads one object without further credentials. It is a secret while it lives.</summary>
    /// <param name="key">The object's key.</param>
    /// <param name="lifetime">How long the URL works, up to 7 days.</param>
    public Uri PresignGet(string key, TimeSpan lifetime)
    {
        var host = _options.PublicUrl ?? _options.Endpoint;
        return new Uri(_presigner.GetPreSignedURL(new GetPreSignedUrlRequest
        {
            BucketName = Bucket,
            Key = key,
            Verb = HttpVerb.GET,
            Expires = TimeProvider.System.GetUtcNow().UtcDateTime + lifetime,
            Protocol = string.Equals(host.Scheme, Uri.UriSchemeHttp, StringComparison.Ordinal) ? Protocol.HTTP : Protocol.HTTPS,
        }));
    }

    /// <summary>Makes a URL that puts one object of exactly these bytes without further credentials. It is a secret while it lives.</summary>
    /// <param name="key">The object's key.</param>
    /// <param name="length">Number of its bytes; another one is refused.</param>
    /// <param name="contentType">Its media type.</param>
    /// <param name="sha256">SHA-256 of its bytes; a store that knows checksums refuses others. One that does not lets them pass, so compare.</param>
    /// <param name="lifetime">How long the URL works, up to 7 days.</param>
    public PresignedPut PresignPut(string key, long length, string contentType, ReadOnlySpan<byte> sha256, TimeSpan lifetime)
    {
        var host = _options.PublicUrl ?? _options.Endpoint;
        var checksum = Convert.ToBase64String(sha256);
        var request = new GetPreSignedUrlRequest
        {
            BucketName = Bucket,
            Key = key,
            Verb = HttpVerb.PUT,
            Expires = TimeProvider.System.GetUtcNow().UtcDateTime + lifetime,
            Protocol = string.Equals(host.Scheme, Uri.UriSchemeHttp, StringComparison.Ordinal) ? Protocol.HTTP : Protocol.HTTPS,
            ContentType = contentType,
        };
        request.Headers.ContentLength = length;
        request.Headers[ChecksumHeader] = checksum;
        var headers = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["content-length"] = length.ToString(CultureInfo.InvariantCulture),
            ["content-type"] = contentType,
            [ChecksumHeader] = checksum,
        };
        return new PresignedPut(new Uri(_presigner.GetPreSignedURL(request)), headers);
    }

    /// <summary>Lists the keys that begin with a prefix, in order.</summary>
    /// <param name="prefix">The prefix.</param>
    /// <param name="cancellationToken">Ends the listing.</param>
    public async IAsyncEnumerable<string> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string? continuation = null;
        do
        {
            var page = await _client.ListObjectsV2Async(
                new ListObjectsV2Request { BucketName = Bucket, Prefix = prefix, ContinuationToken = continuation }, cancellationToken);
            foreach (var item in page.S3Objects ?? [])
            {
                yield return item.Key;
            }

            continuation = page.IsTruncated == true ? page.NextContinuationToken : null;
        }
        while (continuation is not null);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _client.Dispose();
        if (!ReferenceEquals(_presigner, _client))
        {
            _presigner.Dispose();
        }
    }

    internal async Task EnsureBucketAsync(CancellationToken cancellationToken)
    {
        try
        {
            _ = await _client.PutBucketAsync(new PutBucketRequest { BucketName = Bucket }, cancellationToken);
        }
        catch (AmazonS3Exception exception) when (exception.StatusCode == HttpStatusCode.Conflict)
        {
            // Exists already.
        }
    }

    private async Task<Stream> GetAsync(string key, ByteRange? range, CancellationToken cancellationToken)
    {
        var response = await _client.GetObjectAsync(new GetObjectRequest { BucketName = Bucket, Key = key, ByteRange = range }, cancellationToken);
        return response.ResponseStream;
    }

    internal static string Unquote(string? etag) => etag?.Trim('"') ?? "";

    private static AmazonS3Client Connect(ObjectStoreOptions options, Uri endpoint) => new(
        new BasicAWSCredentials(options.AccessKey, options.SecretKey),
        new AmazonS3Config
        {
            ServiceURL = endpoint.ToString(),
            ForcePathStyle = true,
            AuthenticationRegion = options.Region,
            UseHttp = string.Equals(endpoint.Scheme, Uri.UriSchemeHttp, StringComparison.Ordinal),
            MaxErrorRetry = 3,

            // Bodies are signed by their SHA-256, which the store checks; a CRC of them again would cost more than it could find.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            Timeout = TimeSpan.FromMinutes(10),
        });
}
