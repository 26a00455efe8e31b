using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace Flurrty.Sandbox.Tests.Support;

internal sealed record ReceivedWebhook(int Number, string Path, string Id, string Timestamp, string Signature, string Body, DateTimeOffset At)
{
    public JsonNode Json => JsonNode.Parse(Body)!;

    public string Status => (string)Json["status"]!;
}

/// <summary>Takes webhooks and remembers them.</summary>
internal sealed class WebhookReceiver : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<ReceivedWebhook> _received = new();
    private int _last;

    private WebhookReceiver(Func<int, int> answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        _app = builder.Build();
        _app.Urls.Add("http://127.0.0.1:0");
        _app.Run(async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            string body = await reader.ReadToEndAsync();
            var headers = context.Request.Headers;
            int number = Interlocked.Increment(ref _last);
            _received.Enqueue(new ReceivedWebhook(
                number,
                context.Request.Path,
                headers["webhook-id"].ToString(),
                headers["webhook-timestamp"].ToString(),
                headers["webhook-signature"].ToString(),
                body,
                TimeProvider.System.GetUtcNow()));
            context.Response.StatusCode = answer(number);
            if (context.Response.StatusCode is >= 300 and < 400)
            {
                context.Response.Headers.Location = "/elsewhere";
            }
        });
    }

    public string Url => _app.Urls.First() + "/hooks/secret";

    public IReadOnlyList<ReceivedWebhook> Received => [.. _received];

    /// <param name="answer">The status for the nth webhook, counted from 1.</param>
    public static async Task<WebhookReceiver> StartAsync(Func<int, int>? answer = null)
    {
        var receiver = new WebhookReceiver(answer ?? (_ => 200));
        await receiver._app.StartAsync();
        return receiver;
    }

    public Task<IReadOnlyList<ReceivedWebhook>> UntilAsync(Predicate<IReadOnlyList<ReceivedWebhook>> condition, string what) =>
        Eventually.HoldsAsync(() => Task.FromResult(Received), condition, what);

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
