using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Flurrty.Sandbox.Faults;
using Microsoft.Extensions.Options;

namespace Flurrty.Sandbox.Replicate;

/// <summary>One attempt to deliver a webhook, for whoever asks what was sent.</summary>
internal sealed record WebhookAttempt(string MessageId, string RunId, string Event, int Attempt, DateTimeOffset DueAt, DateTimeOffset At, int? Status, string? Error);

/// <summary>A webhook that is due.</summary>
internal sealed record WebhookMessage(string Id, string RunId, string Account, string Destination, string Event, Uri Url, byte[] Body)
{
    /// <summary>Start and completed are delivered until they are taken; output and logs are sent once.</summary>
    public bool Insists => Event is WebhookEvent.Start or WebhookEvent.Completed;
}

internal static class WebhookEvent
{
    public const string Start = "start";
    public const string Output = "output";
    public const string Logs = "logs";
    public const string Completed = "completed";

    public static readonly IReadOnlyList<string> All = [Start, Output, Logs, Completed];
    public static readonly IReadOnlyList<string> Default = [Output, Completed];
}

/// <summary>Signs and sends webhooks in the Standard Webhooks form.</summary>
internal sealed partial class Webhooks(
    OutboundHttp http, Accounts accounts, FaultBook faults, IOptions<SandboxOptions> options, TimeProvider time, IHostApplicationLifetime lifetime, ILogger<Webhooks> logger)
{
    private const int KeptAttempts = 10_000;
    private static readonly TimeSpan Throttle = TimeSpan.FromMilliseconds(500);
    private readonly ConcurrentDictionary<string, long> _lastSent = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _completed = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<WebhookAttempt> _attempts = new();

    public IEnumerable<WebhookAttempt> Attempts => _attempts;

    /// <summary>Whether output or logs may be sent now: at most one of them in 500 ms and run.</summary>
    public bool MayUpdate(string runId) => !_lastSent.TryGetValue(runId, out long at) || time.GetElapsedTime(at) >= Throttle;

    /// <summary>Starts the delivery; the task ends when it was taken or given up.</summary>
    public Task SendAsync(WebhookMessage message)
    {
        // Whoever asks next whether an update may be sent has to see this one.
        _lastSent[message.RunId] = time.GetTimestamp();
        var due = TimeProvider.System.GetUtcNow();
        return Task.Run(() => DeliverAsync(message, due), CancellationToken.None);
    }

    public static string Sign(string secret, string id, string timestamp, ReadOnlySpan<byte> body)
    {
        byte[] key = Convert.FromBase64String(secret["whsec_".Length..]);
        byte[] prefix = Encoding.UTF8.GetBytes($"{id}.{timestamp}.");
        return "v1," + Convert.ToBase64String(HMACSHA256.HashData(key, (byte[])[.. prefix, .. body]));
    }

    private async Task DeliverAsync(WebhookMessage message, DateTimeOffset due)
    {
        var stopping = lifetime.ApplicationStopping;
        var quirk = faults.TakeWebhook(message.Destination, message.Event);
        var done = _completed.GetOrAdd(message.RunId, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        try
        {
            switch (quirk?.Kind)
            {
                case FaultKind.Never:
                    return;
                case FaultKind.Late:
                    await Task.Delay(TimeSpan.FromSeconds(quirk.Seconds), time, stopping);
                    break;
                case FaultKind.OutOfOrder when message.Event != WebhookEvent.Completed:
                    // It arrives after the end, with what was true when it was due.
                    await done.Task.WaitAsync(stopping);
                    break;
                case FaultKind.RotateSecret:
                    accounts.Change(message.Account, account => account with { WebhookSecret = Wire.NewWebhookSecret() });
                    break;
                default:
                    break;
            }

            await DeliverAsync(message, due, quirk, stopping);
            if (quirk?.Kind == FaultKind.Duplicate)
            {
                await DeliverAsync(message, due, quirk, stopping);
            }

            if (quirk?.Kind == FaultKind.OutOfOrder && message.Event == WebhookEvent.Completed)
            {
                await DeliverAsync(Stale(message), due, quirk, stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // A webhook that nobody took is sent again after the restart.
            throw;
        }
        finally
        {
            if (message.Event == WebhookEvent.Completed)
            {
                done.TrySetResult();
                _completed.TryRemove(message.RunId, out _);
                _lastSent.TryRemove(message.RunId, out _);
            }
        }
    }

    private async Task DeliverAsync(WebhookMessage message, DateTimeOffset due, FaultAction? quirk, CancellationToken cancellationToken)
    {
        var replicate = options.Value.Replicate;
        int attempts = message.Insists ? replicate.WebhookAttempts : 1;
        var pause = replicate.WebhookRetryDelay;
        for (int attempt = 1; attempt <= attempts; attempt++)
        {
            if (await TryAsync(message, due, quirk, attempt, replicate.WebhookTimeout, cancellationToken))
            {
                return;
            }

            if (attempt < attempts)
            {
                await Task.Delay(pause, time, cancellationToken);
                pause *= 2;
            }
        }
    }

    private async Task<bool> TryAsync(WebhookMessage message, DateTimeOffset due, FaultAction? quirk, int attempt, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var now = TimeProvider.System.GetUtcNow();
        if (quirk?.Kind == FaultKind.OldTimestamp)
        {
            now -= TimeSpan.FromSeconds(quirk.Seconds);
        }

        string timestamp = now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        string secret = quirk?.Kind == FaultKind.BadSignature ? Wire.NewWebhookSecret() : accounts.Find(message.Account)!.WebhookSecret;
        using var request = new HttpRequestMessage(HttpMethod.Post, message.Url);
        request.Content = new ByteArrayContent(message.Body);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.TryAddWithoutValidation("User-Agent", "Replicate/1.0");
        request.Headers.TryAddWithoutValidation("webhook-id", message.Id);
        request.Headers.TryAddWithoutValidation("webhook-timestamp", timestamp);
        request.Headers.TryAddWithoutValidation("webhook-signature", Sign(secret, message.Id, timestamp, message.Body));

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(timeout);
        int? status = null;
        string? error = null;
        try
        {
            using var response = await http.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            status = (int)response.StatusCode;
        }
        catch (HttpRequestException failure)
        {
            error = failure.Message;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            error = "timed out";
        }

        Remember(new WebhookAttempt(message.Id, message.RunId, message.Event, attempt, due, now, status, error));
        bool taken = status is >= 200 and < 300;
        if (!taken)
        {
            LogRefused(logger, message.Event, message.RunId, attempt, status, error);
        }

        return taken;
    }

    private static WebhookMessage Stale(WebhookMessage completed)
    {
        var body = JsonNode.Parse(completed.Body)!.AsObject();
        body["status"] = RunStatus.Processing;
        body["output"] = null;
        body["error"] = null;
        body.Remove("completed_at");
        body.Remove("metrics");
        return completed with { Id = Wire.NewMessageId(), Event = WebhookEvent.Logs, Body = Wire.Bytes(body) };
    }

    private void Remember(WebhookAttempt attempt)
    {
        _attempts.Enqueue(attempt);
        if (_attempts.Count > KeptAttempts)
        {
            _attempts.TryDequeue(out _);
        }
    }

    // The URL is not logged: its path is often a secret.
    [LoggerMessage(EventId = 1, Level = LogLevel.Warning, Message = "The webhook {WebhookEvent} of run {RunId} was not taken on attempt {Attempt}: {Status} {Error}")]
    private static partial void LogRefused(ILogger logger, string webhookEvent, string runId, int attempt, int? status, string? error);
}
