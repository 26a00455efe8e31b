using System.Collections.Concurrent;
using System.Net;
using Flurrty.ServiceDefaults.Http;
using Flurrty.ServiceDefaults.Tickets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Flurrty.Gateway.Tests;

/// <summary>A request that a stub saw.</summary>
internal sealed record Seen(string Method, string Path, string Query, Caller? Caller, IReadOnlyDictionary<string, string> Headers);

/// <summary>A service behind the gateway: a real server that verifies tickets and answers what the test tells it to.</summary>
internal sealed class StubService : IAsyncDisposable
{
    private readonly WebApplication _app;

    private StubService(string name, TicketKeys keys)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { ["Tickets:Audience"] = name, ["Tickets:Issuers:gateway"] = keys.Public });
        builder.WebHost.ConfigureKestrel(static kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, static http => http.Protocols = HttpProtocols.Http1);
            kestrel.Listen(IPAddress.Loopback, 0, static h2c => h2c.Protocols = HttpProtocols.Http2);
        });
        builder.AddServerDefaults();
        builder.AddCallerTickets();
        _app = builder.Build();
        _app.UseRouting();
        _app.UseAuthentication();
        _app.UseAuthorization();
        _app.MapGet("/openapi/v1.json", () => Document is null ? Results.NotFound() : Results.Text(Document, "application/json")).AllowAnonymous();
        _app.Map("/webhooks/{**rest}", AnswerAsync).RequireAuthorization(TicketPolicies.Webhook);
        _app.Map("/worker/{**rest}", AnswerAsync).RequireAuthorization(TicketPolicies.Worker);
        _app.Map("/api/operator/{**rest}", AnswerAsync).RequireAuthorization(TicketPolicies.Operator);
        _app.Map("/{**rest}", AnswerAsync);
    }

    public ConcurrentQueue<Seen> Requests { get; } = [];

    public RequestDelegate Handler { get; set; } = static context => context.Response.WriteAsync("ok");

    public string? Document { get; set; } = """{"openapi":"3.1.1","info":{"title":"t","version":"1"},"paths":{}}""";

    public string Address => _app.Urls.First();

    public string Http2Address => _app.Urls.Last();

    public static async Task<StubService> StartAsync(string name, TicketKeys keys)
    {
        var stub = new StubService(name, keys);
        await stub._app.StartAsync();
        return stub;
    }

    public Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private Task AnswerAsync(HttpContext context)
    {
        Requests.Enqueue(new Seen(
            context.Request.Method,
            context.Request.Path.Value!,
            context.Request.QueryString.Value ?? "",
            context.GetCaller(),
            context.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase)));
        return Handler(context);
    }
}
