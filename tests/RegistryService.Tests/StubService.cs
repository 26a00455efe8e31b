using System.Collections.Concurrent;
using System.Text.Json;
using Flurrty.ServiceDefaults.Tickets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Flurrty.RegistryService.Tests;

/// <summary>A call that a stub saw.</summary>
internal sealed record Call(string Method, string Path, Caller Caller, JsonElement? Body, string? Range);

/// <summary>A service that the registry calls: a real server that verifies its tickets and answers what the test tells it to.</summary>
internal sealed class StubService : IAsyncDisposable
{
    private readonly WebApplication _app;

    private StubService(string name, TicketKeys registry)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { ["Tickets:Audience"] = name, ["Tickets:Issuers:registry"] = registry.Public });
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.AddCallerTickets();
        _app = builder.Build();
        _app.UseRouting();
        _app.UseAuthentication();
        _app.UseAuthorization();
        _app.Map("/internal/{**rest}", AnswerAsync).RequireAuthorization(TicketPolicies.Service);
        _app.Map("/store/{**rest}", context => Store(context)).AllowAnonymous();
    }

    public ConcurrentQueue<Call> Calls { get; } = [];

    public Func<HttpContext, Call, Task> Handler { get; set; } = static (context, _) =>
    {
        context.Response.StatusCode = StatusCodes.Status500InternalServerError;
        return Task.CompletedTask;
    };

    /// <summary>Plays the object store: it takes no tickets.</summary>
    public RequestDelegate Store { get; set; } = static context =>
    {
        context.Response.StatusCode = StatusCodes.Status403Forbidden;
        return Task.CompletedTask;
    };

    public string Address => _app.Urls.Single();

    public static async Task<StubService> StartAsync(string name, TicketKeys registry)
    {
        var stub = new StubService(name, registry);
        await stub._app.StartAsync();
        return stub;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        JsonElement? body = context.Request.ContentLength > 0 || context.Request.Headers.TransferEncoding.Count > 0
            ? await JsonSerializer.DeserializeAsync<JsonElement>(context.Request.Body)
            : null;
        var call = new Call(context.Request.Method, context.Request.Path.Value!, context.GetCaller(), body, context.Request.Headers.Range);
        Calls.Enqueue(call);
        await Handler(context, call);
    }
}
