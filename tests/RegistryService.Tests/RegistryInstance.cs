using System.Collections.Concurrent;
using System.Net.Http.Json;
using System.Text.Json;
using Flurrty.ServiceDefaults.Tickets;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.Extensions.Logging;

namespace Flurrty.RegistryService.Tests;

/// <summary>One running RegistryService on a real socket.</summary>
internal sealed class RegistryInstance : WebApplicationFactory<Program>
{
    private readonly IReadOnlyDictionary<string, string> _settings;
    private readonly TicketSigner _gateway;

    public RegistryInstance(IReadOnlyDictionary<string, string> settings, TicketSigner gateway)
    {
        _settings = settings;
        _gateway = gateway;
        UseKestrel();
    }

    public ConcurrentQueue<string> Log { get; } = [];

    /// <summary>A client that speaks for an account, with tickets as the gateway signs them.</summary>
    public HttpClient ClientOf(Guid accountId, TicketKind kind = TicketKind.User)
    {
        StartServer();
        return new HttpClient(new TicketHandler(_gateway, accountId, kind) { InnerHandler = new SocketsHttpHandler() }) { BaseAddress = ClientOptions.BaseAddress };
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseSetting("urls", "http://127.0.0.1:0");
        foreach (var (key, value) in _settings)
        {
            builder.UseSetting(key, value);
        }

        builder.ConfigureLogging(logging => logging.ClearProviders().AddProvider(new Recorder(Log)));
    }

    private sealed class TicketHandler(TicketSigner gateway, Guid accountId, TicketKind kind) : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var path = Uri.UnescapeDataString(request.RequestUri!.AbsolutePath);
            request.Headers.Add(TicketAuthentication.HeaderName, gateway.Sign(kind, "registry", accountId, request.Method.Method, path));
            return base.SendAsync(request, cancellationToken);
        }
    }

    private sealed class Recorder(ConcurrentQueue<string> log) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
        {
            log.Enqueue(state.ToString() ?? "");
            return null;
        }

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            log.Enqueue($"{logLevel} {formatter(state, exception)} {exception}");

        public void Dispose()
        {
            // The log belongs to the instance.
        }
    }
}

/// <summary>What tests ask of the API.</summary>
internal static class RegistryApi
{
    public static async Task<HttpResponseMessage> CreateAsync(this HttpClient client, object body, string? key = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/identities") { Content = JsonContent.Create(body) };
        if (key is not null)
        {
            request.Headers.Add("Idempotency-Key", key);
        }

        return await client.SendAsync(request);
    }

    public static async Task<JsonElement> CreatedAsync(this HttpClient client, object body, string? key = null)
    {
        using var response = await client.CreateAsync(body, key);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True((int)response.StatusCode == 202, $"{(int)response.StatusCode}: {text}");
        return JsonElement.Parse(text);
    }

    public static Task<JsonElement> ShowAsync(this HttpClient client, Guid id) => client.GetFromJsonAsync<JsonElement>($"/api/identities/{id}");

    public static Guid Id(this JsonElement identity) => identity.GetProperty("id").GetGuid();

    public static Guid VersionId(this JsonElement identity) => identity.GetProperty("versions")[0].GetProperty("id").GetGuid();

    public static string? Text(this JsonElement json, string name) => json.GetProperty(name).GetString();

    public static async Task<string> CodeAsync(this HttpResponseMessage response)
    {
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.Content.Headers.ContentType?.MediaType == "application/problem+json", $"{(int)response.StatusCode} is no problem: {text}");
        return JsonElement.Parse(text).GetProperty("code").GetString()!;
    }
}
