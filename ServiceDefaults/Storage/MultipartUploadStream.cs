using System.Buffers;
using Amazon.S3;
using Amazon.S3.Model;

namespace Flurrty.ServiceDefaults.Storage;

/// <summary>
/// A write-only stream over an S3 multipart upload: while two parts of 8 MiB are sent the next is filled, and no more is held. What fits in one part
/// is put at once.
/// </summary>
internal sealed class MultipartUploadStream(AmazonS3Client client, string bucket, string key, string contentType) : Stream
{
    private const int PartBytes = 8 * 1024 * 1024;

    // The store answers a part after it has written it: a second one on its way uses that time.
    private const int PartsInFlight = 2;

    private readonly List<PartETag> _parts = [];
    private readonly Queue<(Task Sending, byte[] Buffer)> _inFlight = new(PartsInFlight);
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
                new PutObjectRequest { BucketName = bucket, Key = key, InputStream = content, ContentType = contentType, AutoCloseStream = false, UseChunkEncoding = false }, cancellationToken);
            return new StoredObject(key, _written, ObjectStore.Unquote(put.ETag));
        }

        if (_buffered > 0)
        {
            await SendPartAsync(cancellationToken);
        }

        while (_inFlight.Count > 0)
        {
            await EndOldestAsync();
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
            await Task.WhenAll(_inFlight.Select(part => part.Sending)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
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
        // A buffer belongs to its request until that has ended.
        while (_inFlight.TryDequeue(out var part))
        {
            await part.Sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            ArrayPool<byte>.Shared.Return(part.Buffer);
        }

        if (_buffer is not null)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = null;
        }

        await base.DisposeAsync();
    }

    private async Task SendPartAsync(CancellationToken cancellationToken)
    {
        _uploadId ??= (await client.InitiateMultipartUploadAsync(
            new InitiateMultipartUploadRequest { BucketName = bucket, Key = key, ContentType = contentType }, cancellationToken)).UploadId;
        if (_inFlight.Count == PartsInFlight)
        {
            await EndOldestAsync();
        }

        var number = _parts.Count + 1;
        _parts.Add(new PartETag(number, null));
        _inFlight.Enqueue((SendAsync(number, _buffer!, _buffered, _uploadId, cancellationToken), _buffer!));
        _buffer = ArrayPool<byte>.Shared.Rent(PartBytes);
        _buffered = 0;
    }

    private async Task EndOldestAsync()
    {
        await _inFlight.Peek().Sending;
        ArrayPool<byte>.Shared.Return(_inFlight.Dequeue().Buffer);
    }

    private async Task SendAsync(int number, byte[] bytes, int length, string uploadId, CancellationToken cancellationToken)
    {
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
        _parts[number - 1].ETag = response.ETag;
    }
}
