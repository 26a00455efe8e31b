using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.Extensions.Logging;

namespace Flurrty.Gateway.Tests;

/// <summary>The real gateway on a real socket, before three stub services.</summary>
public sealed class GatewayFixture : IAsyncLifetime
{
    internal const string Key = "flr_0123456789abcdefghijABCDEFGHIJ00";
    internal const string OtherKey = "flr_0123456789abcdefghijABCDEFGHIJ01";
    internal const string OperatorKey = "flr_0123456789abcdefghijABCDEFGHIJ09";
    internal static readonly Guid Account = Guid.Parse("11111111-1111-4111-8111-111111111111");
    internal static readonly Guid OtherAccount = Guid.Parse("22222222-2222-4222-8222-222222222222");
    internal static readonly Guid Operator = Guid.Parse("33333333-3333-4333-8333-333333333333");

    private readonly TicketKeys _keys = new();
    private readonly List<IAsyncDisposable> _owned = [];

    internal StubService Uploads { get; private set; } = null!;

    internal StubService Training { get; private set; } = null!;

    internal StubService Registry { get; private set; } = null!;

    internal ConcurrentQueue<string> Log { get; } = [];

    internal HttpClient Client { get; private set; } = null!;

    internal Uri Address => Client.BaseAddress!;

    public async Task InitializeAsync()
    {
        Uploads = await StubService.StartAsync("uploads", _keys);
        Training = await StubService.StartAsync("training", _keys);
        Registry = await StubService.StartAsync("registry", _keys);
        Client = StartGateway();
    }

    public async Task DisposeAsync()
    {
        foreach (var owned in Enumerable.Reverse(_owned))
        {
            await owned.DisposeAsync();
        }

        foreach (var stub in new[] { Uploads, Training, Registry })
        {
            await stub.DisposeAsync();
        }

        _keys.Dispose();
    }

    /// <summary>Starts another gateway before the same stubs, with other settings.</summary>
    internal HttpClient StartGateway(params (string Key, string? Value)[] settings) => StartGateway(static _ => { }, settings);

    /// <summary>Starts another gateway with further configuration or services.</summary>
    internal HttpClient StartGateway(Action<IWebHostBuilder> configure, params (string Key, string? Value)[] settings)
    {
        var factory = new GatewayFactory(this, configure, settings);
        factory.UseKestrel();
        factory.StartServer();
        _owned.Add(factory);
        var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, ActivityHeadersPropagator = null }) { BaseAddress = factory.ClientOptions.BaseAddress };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        return client;
    }

    /// <summary>Starts another instance of a service; the caller disposes it.</summary>
    internal Task<StubService> StartStubAsync(string name) => StubService.StartAsync(name, _keys);

    internal static async Task<(string Code, JsonElement Body)> ReadProblemAsync(HttpResponseMessage response)
    {
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.Content.Headers.ContentType?.MediaType == "application/problem+json", $"{(int)response.StatusCode} is no problem: {text}");
        var body = JsonElement.Parse(text);
        Assert.Equal((int)response.StatusCode, body.GetProperty("status").GetInt32());
        Assert.NotEmpty(body.GetProperty("title").GetString()!);
        Assert.NotEmpty(body.GetProperty("detail").GetString()!);
        return (body.GetProperty("code").GetString()!, body);
    }

    private static string Sha256(string key) => Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(key)));

    private sealed class GatewayFactory(GatewayFixture fixture, Action<IWebHostBuilder> configure, (string Key, string? Value)[] settings) : WebApplicationFactory<Program>
    {
        protected override void ConfigureWebHost(IWebHostBuilder builder)
        {
            var all = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase)
            {
                ["urls"] = "http://127.0.0.1:0",
                ["Tickets:Audience"] = "gateway",
                ["Tickets:SigningKey"] = fixture._keys.Private,
                ["ApiKeys:0:Sha256"] = Sha256(Key),
                ["ApiKeys:0:AccountId"] = Account.ToString(),
                ["ApiKeys:1:Sha256"] = Sha256(OtherKey),
                ["ApiKeys:1:AccountId"] = OtherAccount.ToString(),
                ["ApiKeys:2:Sha256"] = Sha256(OperatorKey),
                ["ApiKeys:2:AccountId"] = Operator.ToString(),
                ["ApiKeys:2:Role"] = "Operator",
                ["services:uploads:http:0"] = fixture.Uploads.Address,
                ["services:uploads:h2c:0"] = fixture.Uploads.Http2Address,
                ["services:training:http:0"] = fixture.Training.Address,
                ["services:training:h2c:0"] = fixture.Training.Http2Address,
                ["services:registry:http:0"] = fixture.Registry.Address,
                ["services:registry:h2c:0"] = fixture.Registry.Http2Address,
            };
            foreach (var (key, value) in settings)
            {
                all[key] = value;
            }

            // One without a value is one that is not there.
            foreach (var (key, value) in all.Where(static setting => setting.Value is not null))
            {
                builder.UseSetting(key, value);
            }

            builder.ConfigureLogging(logging => logging.ClearProviders().SetMinimumLevel(LogLevel.Trace).AddProvider(new Recorder(fixture.Log)));
            configure(builder);
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

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            log.Enqueue($"{logLevel} {formatter(state, exception)} {exception}");

        public void Dispose()
        {
            // The log belongs to the fixture.
        }
    }
}
