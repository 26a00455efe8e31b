using System.Buffers;
using System.Buffers.Binary;
using Google.Protobuf;

namespace Aspire.Hosting.Dashboard;

/// <summary>One call in gRPC's form over HTTP/2: messages with a length in front, the outcome in a trailer.</summary>
internal sealed class GrpcCall(HttpContext context)
{
    private const int PrefixLength = 5;
    private const int LargestRequest = 64 * 1024;

    /// <summary>The outcomes that are used.</summary>
    internal enum Outcome
    {
        Ok = 0,
        InvalidArgument = 3,
        NotFound = 5,
        Unimplemented = 12,
        Internal = 13,
        Unauthenticated = 16,
    }

    internal async Task<T> ReadAsync<T>(MessageParser<T> parser, CancellationToken cancellationToken)
        where T : IMessage<T>
    {
        var prefix = new byte[PrefixLength];
        await context.Request.Body.ReadExactlyAsync(prefix, cancellationToken);
        var length = BinaryPrimitives.ReadUInt32BigEndian(prefix.AsSpan(1));
        if (prefix[0] != 0 || length > LargestRequest)
        {
            throw new InvalidDataException("Compressed or oversized requests are not accepted.");
        }

        var body = new byte[length];
        await context.Request.Body.ReadExactlyAsync(body, cancellationToken);
        return parser.ParseFrom(body);
    }

    internal async Task WriteAsync(IMessage message, CancellationToken cancellationToken)
    {
        var length = message.CalculateSize();
        var writer = context.Response.BodyWriter;
        var prefix = writer.GetSpan(PrefixLength);
        prefix[0] = 0;
        BinaryPrimitives.WriteUInt32BigEndian(prefix[1..], (uint)length);
        writer.Advance(PrefixLength);
        message.WriteTo((IBufferWriter<byte>)writer);
        await writer.FlushAsync(cancellationToken);
    }

    /// <summary>Sends the headers: the caller of a stream waits for them before the first message.</summary>
    internal async Task BeginAsync(CancellationToken cancellationToken)
    {
        context.Response.ContentType = "application/grpc";
        await context.Response.StartAsync(cancellationToken);
        await context.Response.BodyWriter.FlushAsync(cancellationToken);
    }

    internal void End(Outcome outcome, string? message = null)
    {
        if (!context.Response.HasStarted)
        {
            context.Response.ContentType = "application/grpc";
        }

        context.Response.AppendTrailer("grpc-status", ((int)outcome).ToString(System.Globalization.CultureInfo.InvariantCulture));
        if (message is not null)
        {
            context.Response.AppendTrailer("grpc-message", Uri.EscapeDataString(message));
        }
    }
}
