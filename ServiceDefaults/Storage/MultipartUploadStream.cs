using System.Buffers;
using Amazon.S3;
using Amazon.S3.Model;

namespace Flurrty.ServiceDefaults.Storage;

/// <summary>
/// A write-only stream over an S3 multipart upload: while one part of 8 MiB is sent the next is filled, and no more is held. What fits in one part
/// is put at once.
/// </summary>
internal sealed class MultipartUploadStream(AmazonS3Client client, string bucket, string key, string contentType) : Stream
{
    private const int PartBytes = 8 * 1024 * 1024;

    private readonly List<PartETag> _parts = [];
    private byte[]? _buffer = ArrayPool<byte>.Shared.Rent(PartBytes);
    private byte[]? _sent;
    private Task _sending = Task.CompletedTask;
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
                new PutObjectRequest { BucketName = bucket, Key = key, InputStream = content, ContentType = contentType, AutoCloseStream = false, UseChunkEncoding = false }, cancellationToken);
            return new StoredObject(key, _written, ObjectStore.Unquote(put.ETag));
        }

        if (_buffered > 0)
        {
            await SendPartAsync(cancellationToken);
        }

        await _sending;
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
            await _sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
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

    public override async ValueTask DisposeAsync()
    {
        // The buffer belongs to the request until that has ended.
        await _sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Return(ref _sent);
        Return(ref _buffer);
        await base.DisposeAsync();
    }

    private static void Return(ref byte[]? buffer)
    {
        if (buffer is not null)
        {
            ArrayPool<byte>.Shared.Return(buffer);
            buffer = null;
        }
    }

    private async Task SendPartAsync(CancellationToken cancellationToken)
    {
        _uploadId ??= (await client.InitiateMultipartUploadAsync(
            new InitiateMultipartUploadRequest { BucketName = bucket, Key = key, ContentType = contentType }, cancellationToken)).UploadId;
        await _sending;
        (_sent, _buffer) = (_buffer, _sent ?? ArrayPool<byte>.Shared.Rent(PartBytes));
        _sending = SendAsync(_sent!, _buffered, _uploadId, cancellationToken);
        _buffered = 0;
    }

    private async Task SendAsync(byte[] bytes, int length, string uploadId, CancellationToken cancellationToken)
    {
        var number = _parts.Count + 1;
        using var content = new MemoryStream(bytes, 0, length, writable: false);
        var response = await client.UploadPartAsync(
            new UploadPartRequest
            {
                BucketName = bucket,
                Key = key,
                UploadId = uploadId,
                PartNumber = number,
                InputStream = content,
                PartSize = length,

                // Signed as a whole: a store need not take the body apart and check every chunk.
                UseChunkEncoding = false,
            },
            cancellationToken);
        _parts.Add(new PartETag(number, response.ETag));
    }
}
