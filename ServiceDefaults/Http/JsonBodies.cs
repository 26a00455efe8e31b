using System.Buffers;
using Flurrty.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Flurrty.ServiceDefaults.Http;

/// <summary>
/// Takes JSON as clients really send it: with a byte order mark (PowerShell), and with a charset in quotation marks, which RFC 9110 allows and the framework fails at.
/// Another charset than UTF-8 is refused, as RFC 8259 asks for UTF-8.
/// </summary>
public static class JsonBodies
{
    private const string Utf8 = "utf-8";

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <summary>Adds it to a service that reads bodies. Not to one that only forwards them.</summary>
    /// <param name="app">The service, before its endpoints.</param>
    public static IApplicationBuilder UseJsonBodies(this IApplicationBuilder app) => app.Use(static async (context, next) =>
    {
        var request = context.Request;
        if (request.HasJsonContentType() && MediaTypeHeaderValue.TryParse(request.ContentType, out var type))
        {
            if (type.Charset.HasValue && !HeaderUtilities.RemoveQuotes(type.Charset).Equals(Utf8, StringComparison.OrdinalIgnoreCase))
            {
                await Problem.WriteAsync(
                    context, Problem.Details(415, "unsupported_charset", "The body's charset is not accepted here.", "Send JSON in UTF-8: Content-Type: application/json."));
                return;
            }

            type.Charset = null;
            request.ContentType = type.ToString();
            await SkipByteOrderMarkAsync(request, context.RequestAborted);
        }

        await next(context);
    });

    private static async Task SkipByteOrderMarkAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        var read = await request.BodyReader.ReadAtLeastAsync(ByteOrderMark.Length, cancellationToken);
        request.BodyReader.AdvanceTo(StartsWithMark(read.Buffer) ? read.Buffer.GetPosition(ByteOrderMark.Length) : read.Buffer.Start);
    }

    private static bool StartsWithMark(ReadOnlySequence<byte> buffer)
    {
        Span<byte> start = stackalloc byte[3];
        if (buffer.Length < start.Length)
        {
            return false;
        }

        buffer.Slice(0, start.Length).CopyTo(start);
        return start.SequenceEqual(ByteOrderMark);
    }
}
