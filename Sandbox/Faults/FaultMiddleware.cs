using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Features;

namespace Flurrty.Sandbox.Faults;

/// <summary>Applies the rules on requests: in front of everything a provider's routes do.</summary>
internal sealed class FaultMiddleware(RequestDelegate next, FaultBook faults, TimeProvider time, IHostApplicationLifetime lifetime)
{
    private const int LargestSearchedBody = 1 << 20;

    public async Task InvokeAsync(HttpContext context)
    {
        if (faults.All.Count == 0)
        {
            await next(context);
            return;
        }

        string? body = faults.NeedsBody ? await BodyAsync(context) : null;
        if (faults.TakeRequest(context.Request.Method, context.Request.Path.Value!, body) is not { } fault)
        {
            await next(context);
            return;
        }

        var action = fault.Rule.Action!;
        switch (action.Kind)
        {
            case FaultKind.Answer:
                await AnswerAsync(context, action);
                break;
            case FaultKind.Delay:
                await DelayAsync(context, action);
                break;
            case FaultKind.Drop:
                if (action.When == FaultWhen.After)
                {
                    await using var unsent = await EffectAsync(context);
                }

                context.Abort();
                break;
            case FaultKind.Hang:
                await HoldAsync(context, fault, action, effect: false);
                break;
            case FaultKind.Hold:
                await HoldAsync(context, fault, action, effect: true);
                break;
            case FaultKind.Cut:
                await CutAsync(context, action);
                break;
            default:
                await next(context);
                break;
        }
    }

    private async Task AnswerAsync(HttpContext context, FaultAction action)
    {
        if (action.When == FaultWhen.After)
        {
            await using var unsent = await EffectAsync(context);
        }

        context.Response.Headers.Clear();
        context.Response.StatusCode = action.Status;
        foreach (var (name, value) in action.Headers ?? new Dictionary<string, string>(StringComparer.Ordinal))
        {
            context.Response.Headers[name] = value;
        }

        byte[] body = action.Body switch
        {
            null => [],
            { ValueKind: JsonValueKind.String } text => Encoding.UTF8.GetBytes(text.GetString()!),
            { } json => Encoding.UTF8.GetBytes(json.GetRawText() + "\n"),
        };
        if (body.Length > 0)
        {
            context.Response.ContentType ??= action.Status < 400 ? "application/json" : "application/problem+json";
            context.Response.ContentLength = body.Length;
            await context.Response.Body.WriteAsync(body, context.RequestAborted);
        }
    }

    private async Task DelayAsync(HttpContext context, FaultAction action)
    {
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);
        var sender = leaving.Token;
        if (action.When == FaultWhen.Before)
        {
            await BufferAsync(context);
            if (await WaitAsync(Task.Delay(TimeSpan.FromSeconds(action.Seconds), time, sender), sender))
            {
                await next(context);
            }
            else
            {
                context.Abort();
            }

            return;
        }

        await using var answer = await EffectAsync(context);
        if (await WaitAsync(Task.Delay(TimeSpan.FromSeconds(action.Seconds), time, sender), sender))
        {
            await answer.SendAsync(context, answer.Length);
        }
    }

    private async Task HoldAsync(HttpContext context, Fault fault, FaultAction action, bool effect)
    {
        var sender = context.RequestAborted;
        await BufferAsync(context);
        Answer? answer = effect && action.When == FaultWhen.After ? await EffectAsync(context) : null;
        var held = new Held(context.Request.Method, context.Request.Path.Value!, action.When, time.GetUtcNow());
        fault.Holding.TryAdd(held, 0);
        await using var gone = sender.Register(() => held.SenderGone = true);
        var stopping = lifetime.ApplicationStopping;
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(sender, stopping);
        bool released = await WaitAsync(held.Released, leaving.Token);
        if (!released && effect && action is { SurvivesDisconnect: true, When: FaultWhen.Before })
        {
            released = await WaitAsync(held.Released, stopping);
        }

        fault.Holding.TryRemove(held, out _);
        if (!effect || !released)
        {
            context.Abort();
        }
        else if (answer is null)
        {
            // The request was on its way: that its sender has gone does not take it back.
            context.RequestAborted = CancellationToken.None;
            await next(context);
        }
        else
        {
            await answer.SendAsync(context, answer.Length);
        }

        if (answer is not null)
        {
            await answer.DisposeAsync();
        }
    }

    private async Task CutAsync(HttpContext context, FaultAction action)
    {
        await using var answer = await EffectAsync(context);
        await answer.SendAsync(context, Math.Min(action.Bytes, Math.Max(0, answer.Length - 1)));
        context.Abort();
    }

    /// <summary>Lets the request take effect and keeps its answer back.</summary>
    private async Task<Answer> EffectAsync(HttpContext context)
    {
        var sender = context.RequestAborted;
        var real = context.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
        var answer = new Answer(real);
        var kept = new StreamResponseBodyFeature(answer.Body);
        context.Features.Set<IHttpResponseBodyFeature>(kept);
        context.RequestAborted = CancellationToken.None;
        try
        {
            await next(context);
            await kept.CompleteAsync();
        }
        finally
        {
            context.Features.Set(real);
            context.RequestAborted = sender;
        }

        return answer;
    }

    /// <returns>False when the sender has gone first.</returns>
    private static async Task<bool> WaitAsync(Task released, CancellationToken sender)
    {
        try
        {
            await released.WaitAsync(sender);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    // Reading the body to its end first is what makes a closed connection visible while the request is parked.
    private static async Task BufferAsync(HttpContext context)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = null;
        }

        context.Request.EnableBuffering();
        await context.Request.Body.CopyToAsync(Stream.Null, context.RequestAborted);
        context.Request.Body.Position = 0;
    }

    private static async Task<string?> BodyAsync(HttpContext context)
    {
        if (context.Request.ContentLength is null or > LargestSearchedBody)
        {
            return null;
        }

        context.Request.EnableBuffering();
        using var reader = new StreamReader(context.Request.Body, Encoding.UTF8, leaveOpen: true);
        string body = await reader.ReadToEndAsync(context.RequestAborted);
        context.Request.Body.Position = 0;
        return body;
    }

    /// <summary>An answer that was not sent yet; large ones wait on disk.</summary>
    private sealed class Answer(IHttpResponseBodyFeature real) : IAsyncDisposable
    {
        public FileStream Body { get; } = new(
            Path.Combine(Path.GetTempPath(), Path.GetRandomFileName()),
            FileMode.CreateNew,
            FileAccess.ReadWrite,
            FileShare.None,
            bufferSize: 1 << 16,
            FileOptions.DeleteOnClose | FileOptions.Asynchronous);

        public long Length => Body.Length;

        public async Task SendAsync(HttpContext context, long bytes)
        {
            Body.Position = 0;
            byte[] buffer = new byte[1 << 16];
            while (bytes > 0)
            {
                int read = await Body.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, bytes)), context.RequestAborted);
                if (read == 0)
                {
                    break;
                }

                await real.Stream.WriteAsync(buffer.AsMemory(0, read), context.RequestAborted);
                bytes -= read;
            }

            await real.Stream.FlushAsync(context.RequestAborted);
        }

        public ValueTask DisposeAsync() => Body.DisposeAsync();
    }
}
