using System.Buffers;
using Amazon.S3;
using Amazon.S3.Model;

namespace Flurrty.ServiceDefaults.Storage;

/// <summary>A write-only stream over an S3 multipart upload; it holds one part of 8 MiB at a time. What fits in one part is put at once.</summary>
internal sealed class MultipartUploadStream(AmazonS3Client client, string bucket, string key, string contentType) : Stream
{
    private const int PartBytes = 8 * 1024 * 1024;

    private readonly List<PartETag> _parts = [];
    private byte[]? _buffer = ArrayPool<byte>.Shared.Rent(PartBytes);
    private int _buffered;
    private long _written;
    private string? _uploadId;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => _written;

    public override long Position
    {
        get => _written;
        set => throw new NotSupportedException();
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_buffer is null, this);
        while (!buffer.IsEmpty)
        {
            if (_buffered == PartBytes)
            {
                await SendPartAsync(cancellationToken);
            }

            var take = Math.Min(buffer.Length, PartBytes - _buffered);
            buffer[..take].CopyTo(_buffer.AsMemory(_buffered));
            _buffered += take;
            _written += take;
            buffer = buffer[take..];
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(byte[] buffer, int offset, int count)
    {
        // Writers such as ZipArchive write a few header bytes synchronously; a full part is sent by the next asynchronous write.
        ObjectDisposedException.ThrowIf(_buffer is null, this);
        if (count > _buffer.Length - _buffered)
        {
            throw new NotSupportedException("Large synchronous writes are not supported.");
        }

        buffer.AsSpan(offset, count).CopyTo(_buffer.AsSpan(_buffered));
        _buffered += count;
        _written += count;
    }

    public override void Flush()
    {
        // Parts are sent when they are full.
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task<StoredObject> CompleteAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_buffer is null, this);
        if (_uploadId is null)
        {
            using var content = new MemoryStream(_buffer, 0, _buffered, writable: false);
            var put = await client.PutObjectAsync(
                new PutObjectRequest { BucketName = bucket, Key = key, InputStream = content, ContentType = contentType, AutoCloseStream = false }, cancellationToken);
            return new StoredObject(key, _written, ObjectStore.Unquote(put.ETag));
        }

        if (_buffered > 0)
        {
            await SendPartAsync(cancellationToken);
        }

        var response = await client.CompleteMultipartUploadAsync(
            new CompleteMultipartUploadRequest { BucketName = bucket, Key = key, UploadId = _uploadId, PartETags = _parts }, cancellationToken);
        _uploadId = null;
        return new StoredObject(key, _written, ObjectStore.Unquote(response.ETag));
    }

    public async Task AbortAsync()
    {
        if (_uploadId is { } id)
        {
            _uploadId = null;
            try
            {
                _ = await client.AbortMultipartUploadAsync(bucket, key, id, CancellationToken.None);
            }
            catch (AmazonS3Exception)
            {
                // The store drops unfinished uploads by itself; the first failure is the one to report.
            }
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (_buffer is { } buffer)
        {
            _buffer = null;
            ArrayPool<byte>.Shared.Return(buffer);
        }

        base.Dispose(disposing);
    }

    private async Task SendPartAsync(CancellationToken cancellationToken)
    {
        _uploadId ??= (await client.InitiateMultipartUploadAsync(
            new InitiateMultipartUploadRequest { BucketName = bucket, Key = key, ContentType = contentType }, cancellationToken)).UploadId;
        var number = _parts.Count + 1;
        using var content = new MemoryStream(_buffer!, 0, _buffered, writable: false);
        var response = await client.UploadPartAsync(
            new UploadPartRequest { BucketName = bucket, Key = key, UploadId = _uploadId, PartNumber = number, InputStream = content, PartSize = _buffered }, cancellationToken);
        _parts.Add(new PartETag(number, response.ETag));
        _buffered = 0;
    }
}
