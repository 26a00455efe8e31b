using System.Buffers;
using System.IO.Pipelines;

namespace Flurrty.Gateway.Routing;

/// <summary>
/// The body of a request on its way to a service, of at most so many bytes. After a read that was cancelled, or one beyond the limit, what follows can still be read and dropped;
/// Kestrel's own stream and limit refuse every further read then, its own dropping included, and end the connection under a caller that has not seen its answer.
/// </summary>
internal sealed class ForwardedBody(PipeReader reader, long most) : Stream
{
    private long _taken;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await using var registration = cancellationToken.UnsafeRegister(static pending => ((PipeReader)pending!).CancelPendingRead(), reader);
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var result = await reader.ReadAsync(CancellationToken.None);
            if (result.IsCanceled)
            {
                // Of this read, or of one that had ended already.
                reader.AdvanceTo(result.Buffer.Start);
                continue;
            }

            var length = (int)Math.Min(result.Buffer.Length, buffer.Length);
            var taken = result.Buffer.Slice(0, length);
            taken.CopyTo(buffer.Span);
            reader.AdvanceTo(taken.End);
            var before = _taken;
            _taken += length;

            // Told once: who reads on then drops what it reads.
            return before <= most && _taken > most
                ? throw new BadHttpRequestException("The body is larger than its route takes.", StatusCodes.Status413PayloadTooLarge)
                : length;
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
        // Nothing is written.
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
