using System.Buffers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace Flurrty.ServiceDefaults.Http;

/// <summary>
/// Reads on, after a request was answered before its body had arrived, so that a caller that sends all before it looks gets to see the answer: a connection that is
/// closed under a sender is reset, and a reset throws away what the sender has not read yet. Bounded in bytes and time; past the bound the connection is ended.
/// In HTTP/2 the server resets the request alone, which a caller understands.
/// </summary>
internal sealed class DrainedBodies(IOptions<ServerOptions> options) : IStartupFilter
{
    private const int BufferBytes = 64 * 1024;

    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use(async (context, rest) =>
        {
            await rest(context);
            if (IsToDrain(context))
            {
                await context.Response.CompleteAsync();
                if (!await DrainAsync(context))
                {
                    context.Abort();
                }
            }
        });
        next(app);
    };

    private static bool IsToDrain(HttpContext context)
    {
        if (!HttpProtocol.IsHttp11(context.Request.Protocol)
            || context.RequestAborted.IsCancellationRequested
            || context.Features.Get<IHttpRequestBodyDetectionFeature>() is not { CanHaveBody: true }
            || context.Features.Get<IHttpMaxRequestBodySizeFeature>() is not { } size)
        {
            return false;
        }

        if (size.IsReadOnly)
        {
            return true;
        }

        // The limit of a body that nobody read is not reached by dropping it.
        size.MaxRequestBodySize = null;

        // A caller that waits for leave to send was not given it, and sends nothing.
        return context.Request.Headers.Expect.Count == 0;
    }

    // False when the connection is to be ended.
    private async Task<bool> DrainAsync(HttpContext context)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        bound.CancelAfter(options.Value.DrainTime);
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            for (var left = options.Value.DrainBytes; left >= 0;)
            {
                var read = await context.Request.Body.ReadAsync(buffer, bound.Token);
                if (read == 0)
                {
                    return true;
                }

                left -= read;
            }

            return false;
        }
        catch (Exception refused) when (refused is BadHttpRequestException or InvalidOperationException)
        {
            // Too slow, past a limit that it has reached, or not to be read again as an earlier read was given up: the server ends the connection behind the answer.
            // Ending it here could overtake the answer.
            return true;
        }
        catch (Exception gone) when (gone is OperationCanceledException or IOException)
        {
            // Cut off, or the time is over.
            return false;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
