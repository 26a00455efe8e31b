using System.Buffers;
using System.Net.Mime;
using System.Text;
using Flurrty.ServiceDefaults.Hosting;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Webhooks;

/// <summary>
/// Tries in the background whether <c>PublicBaseUrl</c> leads to our gateway, as a provider would call it: without following redirects and without
/// signing in. Until it was seen to work no webhook is requested, and trainings go on by looking.
/// </summary>
internal sealed partial class PublicUrl(
    IServiceProvider services,
    IHttpClientFactory clients,
    IOptions<PublicUrlOptions> options,
    TimeProvider time,
    ILogger<PublicUrl> logger) : BackgroundService
{
    /// <summary>Follows nothing, repeats nothing and knows no token.</summary>
    public const string HttpClientName = "public-url";

    private const string AliveAnswer = "Healthy";
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _works;

    /// <summary>Whether it was seen to work.</summary>
    public bool Works => _works;

    /// <summary>Whether it works, after its first try, which has a timeout.</summary>
    public async ValueTask<bool> WorksAfterFirstTryAsync(CancellationToken cancellationToken)
    {
        await _first.Task.WaitAsync(cancellationToken);
        return _works;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (services.GetRequiredService<IOptions<WebhookOptions>>().Value.PublicBaseUrl is not { } url)
        {
            _first.TrySetResult();
            return;
        }

        var alive = new Uri(url.AbsoluteUri.TrimEnd('/') + "/alive");
        var started = time.GetTimestamp();
        var pause = options.Value.Pause;
        string? told = null;
        await BackgroundLoop.RunAsync("check of PublicBaseUrl", TurnAsync, time, logger, stoppingToken);

        async Task TurnAsync(CancellationToken token)
        {
            var fault = await TryAsync(alive, token);
            token.ThrowIfCancellationRequested();
            var isStarting = time.GetElapsedTime(started) < options.Value.StartTimeout;
            if (fault is null && !_works)
            {
                Log.Works(logger, url);
                told = null;
            }
            else if (fault is not null && (fault.Lasts || !isStarting) && !string.Equals(fault.What, told, StringComparison.Ordinal))
            {
                Log.Fails(logger, url, fault.What, fault.Remedy);
                told = fault.What;
            }

            _works = fault is null;
            _first.TrySetResult();
            var wait = fault is null ? options.Value.Recheck : pause;
            pause = fault is null || isStarting ? options.Value.Pause : pause * 2 < options.Value.MaxPause ? pause * 2 : options.Value.MaxPause;
            await Task.Delay(wait, time, token);
        }
    }

    private async Task<Fault?> TryAsync(Uri alive, CancellationToken stoppingToken)
    {
        using var late = new CancellationTokenSource(options.Value.Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, stoppingToken);
        try
        {
            using var client = clients.CreateClient(HttpClientName);
            using var response = await client.GetAsync(alive, HttpCompletionOption.ResponseHeadersRead, either.Token);
            return FaultOf(response, await ReadStartAsync(response, either.Token));
        }
        catch (HttpRequestException exception) when (exception.HttpRequestError == HttpRequestError.SecureConnectionError)
        {
            return new Fault("has no certificate that is valid for it", "Install one that public clients trust", Lasts: true);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            return new Fault(
                $"cannot be reached ({(exception as HttpRequestException)?.HttpRequestError ?? HttpRequestError.Unknown})",
                "Check its name, its port and the firewall, and that the gateway runs",
                Lasts: false);
        }
        catch (OperationCanceledException)
        {
            return new Fault(
                $"does not answer within {options.Value.Timeout.TotalSeconds:0.#} s", "Check the firewall, the tunnel and that the gateway runs", Lasts: false);
        }
        catch (Exception unexpected)
        {
            // Jobs wait for the first try, so it ends in any case.
            Log.TryFailed(logger, unexpected);
            return new Fault("could not be tried", "See the error in the log", Lasts: false);
        }
    }

    private static Fault? FaultOf(HttpResponseMessage response, string start) => (int)response.StatusCode switch
    {
        >= 300 and < 400 => new Fault(
            $"redirects ({(int)response.StatusCode}) to {Place(response.Headers.Location)}",
            "Providers follow no redirects: give the address where it ends, and let /webhooks/ through without signing in",
            Lasts: true),
        401 or 403 or 407 => new Fault(
            $"asks the caller to sign in ({(int)response.StatusCode})",
            "Let /webhooks/ and /alive through: webhooks are signed, and providers cannot sign in",
            Lasts: true),
        200 when IsPlain(response) && string.Equals(start, AliveAnswer, StringComparison.Ordinal) => null,
        200 => new Fault(
            "is answered by something else than the gateway, such as a page to sign in or a tunnel's warning",
            "Let /webhooks/ and /alive through to the gateway",
            Lasts: true),
        404 => new Fault("is answered, but not by the gateway (404)", "Give the address under which the gateway's own paths begin", Lasts: false),
        var status => new Fault($"answers {status}", "Check the proxy or tunnel in front of the gateway, and that the gateway runs", Lasts: false),
    };

    private static bool IsPlain(HttpResponseMessage response) =>
        string.Equals(response.Content.Headers.ContentType?.MediaType, MediaTypeNames.Text.Plain, StringComparison.OrdinalIgnoreCase);

    // A redirect may carry a secret in its query.
    private static string Place(Uri? location) => location switch
    {
        null => "nowhere",
        { IsAbsoluteUri: true } => location.GetLeftPart(UriPartial.Path),
        _ => location.OriginalString.Split('?', '#')[0],
    };

    private static async Task<string> ReadStartAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        var buffer = ArrayPool<byte>.Shared.Rent(64);
        try
        {
            var length = await body.ReadAtLeastAsync(buffer.AsMemory(0, 64), 64, throwOnEndOfStream: false, cancellationToken);
            return Encoding.UTF8.GetString(buffer, 0, length);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Why it does not work.</summary>
    /// <param name="What">What was seen.</param>
    /// <param name="Remedy">What to do.</param>
    /// <param name="Lasts">Whether waiting cannot help.</param>
    private sealed record Fault(string What, string Remedy, bool Lasts);

    private static partial class Log
    {
        [LoggerMessage(EventId = 4133, Level = LogLevel.Error, Message = "The try of PublicBaseUrl failed unexpectedly")]
        public static partial void TryFailed(ILogger logger, Exception exception);

        [LoggerMessage(EventId = 4131, Level = LogLevel.Information, Message = "{PublicBaseUrl} leads to the gateway: providers are asked for webhooks")]
        public static partial void Works(ILogger logger, Uri publicBaseUrl);

        [LoggerMessage(EventId = 4132, Level = LogLevel.Warning,
            Message = "{PublicBaseUrl} {Fault}. {Remedy}. Until it works no webhook is requested; trainings go on by looking")]
        public static partial void Fails(ILogger logger, Uri publicBaseUrl, string fault, string remedy);
    }
}
