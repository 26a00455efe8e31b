using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Flurrty.TrainingService.Jobs;

namespace Flurrty.TrainingService.Providers.Replicate;

/// <summary>The body of an answer, in a rented buffer.</summary>
internal sealed class ReplicateAnswer : IDisposable
{
    private readonly byte[] _buffer;
    private readonly int _length;

    private ReplicateAnswer(byte[] buffer, int length)
    {
        _buffer = buffer;
        _length = length;
    }

    public Memory<byte> Memory => _buffer.AsMemory(0, _length);

    public static async Task<ReplicateAnswer> ReadAsync(HttpResponseMessage response, int maxBytes, CancellationToken cancellationToken)
    {
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        var buffer = ArrayPool<byte>.Shared.Rent((int)Math.Clamp(response.Content.Headers.ContentLength ?? 4096, 256, 1024 * 1024));
        var length = 0;
        try
        {
            while (true)
            {
                var read = await stream.ReadAsync(buffer.AsMemory(length), cancellationToken);
                if (read == 0)
                {
                    return new ReplicateAnswer(buffer, length);
                }

                length += read;
                if (length > maxBytes)
                {
                    throw new ProviderException(ErrorCategory.ServiceError, "Replicate's answer is longer than allowed.");
                }

                if (length == buffer.Length)
                {
                    var larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
                    buffer.AsSpan(0, length).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = larger;
                }
            }
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(buffer);
            throw;
        }
    }

    /// <summary>Reads an answer tolerantly: logs have been seen with raw control characters, and with bytes that are no UTF-8.</summary>
    public T Parse<T>(string what, JsonTypeInfo<T> type)
    {
        foreach (ref var b in Memory.Span)
        {
            if (b < 0x20)
            {
                b = 0x20;
            }
        }

        try
        {
            try
            {
                return JsonSerializer.Deserialize(Memory.Span, type) ?? throw ReplicateErrors.Unreadable(what);
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException)
            {
                return JsonSerializer.Deserialize(Encoding.UTF8.GetString(Memory.Span), type) ?? throw ReplicateErrors.Unreadable(what);
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw ReplicateErrors.Unreadable(what, e);
        }
    }

    public void Dispose() => ArrayPool<byte>.Shared.Return(_buffer);
}
