using System.Buffers;
using System.Diagnostics;
using System.Text.Json;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Hosting;

namespace Flurrty.ServiceDefaults.Problems;

/// <summary>
/// Gives a problem to the requests that Kestrel refuses before any middleware: a malformed one, a line or headers beyond the limits, headers that never end.
/// It tells of each by a diagnostic event before it answers; an answer that was started then is the one that is sent.
/// Left without one are a connection that speaks HTTP/2, whose refusals are resets, one that fails in TLS, and one beyond the limit of connections.
/// </summary>
internal sealed class ServerRefusals(DiagnosticListener diagnostics) : IHostedService, IObserver<KeyValuePair<string, object?>>
{
    private const string Refused = "Microsoft.AspNetCore.Server.Kestrel.BadRequest";
    private IDisposable? _subscription;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _subscription = diagnostics.Subscribe(this, static name => string.Equals(name, Refused, StringComparison.Ordinal));
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        _subscription?.Dispose();
        return Task.CompletedTask;
    }

    public void OnNext(KeyValuePair<string, object?> value)
    {
        if (value.Value is IFeatureCollection request
            && request.Get<IHttp2StreamIdFeature>() is null
            && request.Get<IBadRequestExceptionFeature>()?.Error is BadHttpRequestException refusal
            && request.Get<IHttpResponseFeature>() is { HasStarted: false } response
            && request.Get<IHttpResponseBodyFeature>() is { } body
            && request.Get<IConnectionTransportFeature>() is { } connection)
        {
            Answer(refusal.StatusCode, request.Get<IHttpRequestFeature>()?.Method, response, body, connection);
        }
    }

    public void OnCompleted()
    {
        // Nothing is kept.
    }

    public void OnError(Exception error)
    {
        // Nothing is kept.
    }

    // There is no body to write to yet, as the request has none: it goes behind the head on the connection, which ends with this answer.
    private static void Answer(int status, string? method, IHttpResponseFeature response, IHttpResponseBodyFeature body, IConnectionTransportFeature connection)
    {
        var problem = JsonSerializer.SerializeToUtf8Bytes(StatusProblems.For(status), JsonSerializerOptions.Web);
        response.Headers.ContentType = "application/problem+json";
        response.Headers.ContentLength = problem.Length;
        response.Headers.Connection = "close";
        var head = body.StartAsync();
        if (head.IsCompletedSuccessfully && !string.Equals(method, HttpMethods.Head, StringComparison.Ordinal))
        {
            connection.Transport.Output.Write(problem);
        }
    }
}
