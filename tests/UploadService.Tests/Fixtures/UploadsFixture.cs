using System.Net.Http.Headers;
using System.Security.Cryptography;
using Flurrty.NativeInfrastructure;
using Flurrty.ServiceDefaults.Tickets;
using Flurrty.UploadService.Persistence;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.Extensions.Options;

namespace Flurrty.UploadService.Tests.Fixtures;

/// <summary>The service over a real database, broker and store; one for all tests of this assembly.</summary>
public sealed class UploadsFixture : IAsyncLifetime
{
    private readonly Dictionary<string, ECDsa> _keys = new[] { "gateway", "registry", "training" }
        .ToDictionary(issuer => issuer, _ => ECDsa.Create(ECCurve.NamedCurves.nistP256), StringComparer.Ordinal);

    private WebApplicationFactory<Program>? _service;

    internal NativePostgres Postgres { get; private set; } = null!;

    internal NativeRabbitMq Broker { get; private set; } = null!;

    internal NativeObjectStore Store { get; private set; } = null!;

    internal Listener Listener { get; private set; } = null!;

    internal IServiceProvider Services => _service!.Services;

    internal Uri Address { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        var postgres = NativePostgres.StartAsync("uploads");
        var broker = NativeRabbitMq.StartAsync("uploads", "training", "registry");
        var store = NativeObjectStore.StartAsync("uploads");
        Postgres = await postgres;
        Broker = await broker;
        Store = await store;
        await Postgres.MigrateAsync<UploadsContext>("uploads", static options => new UploadsContext(options));
        Listener = await Listener.StartAsync(Broker.For("training"));
        _service = Create([]);
        _service.StartServer();
        Address = new Uri(_service.ClientOptions.BaseAddress.ToString());
        await WaitUntilHealthyAsync();
    }

    public async Task DisposeAsync()
    {
        if (_service is not null)
        {
            await _service.DisposeAsync();
        }

        await Listener.DisposeAsync();
        await Task.WhenAll(Postgres.DisposeAsync().AsTask(), Broker.DisposeAsync().AsTask(), Store.DisposeAsync().AsTask());
        foreach (var key in _keys.Values)
        {
            key.Dispose();
        }
    }

    /// <summary>A further instance of the service over the same infrastructure.</summary>
    internal WebApplicationFactory<Program> Create(Dictionary<string, string?> settings)
    {
#pragma warning disable CA2000 // The caller disposes it.
        var service = new WebApplicationFactory<Program>().WithWebHostBuilder(host =>
#pragma warning restore CA2000
        {
            // Not Development: what is only allowed there must not help a test to pass.
            host.UseSetting("environment", "Testing");

            // Without it the server takes port 5000, which may be somebody else's.
            host.UseSetting("urls", "http://127.0.0.1:0");
            foreach (var (name, value) in Settings().Concat(settings))
            {
                host.UseSetting(name, value);
            }
        });
        service.UseKestrel();
        return service;
    }

    /// <summary>A caller let in by the gateway.</summary>
    internal HttpClient As(Guid accountId) => Client("gateway", TicketKind.User, accountId);

    /// <summary>Another service on behalf of an account.</summary>
    internal HttpClient AsService(string issuer, Guid accountId) => Client(issuer, TicketKind.Service, accountId);

    /// <summary>The same, to another instance of the service.</summary>
    internal HttpClient AsService(string issuer, Guid accountId, Uri address) => new(new Signing(Signer(issuer), TicketKind.Service, accountId)) { BaseAddress = address };

    internal HttpClient Anonymous() => new() { BaseAddress = Address };

    /// <summary>A caller of another instance of the service.</summary>
    internal HttpClient As(Guid accountId, Uri address) => new(new Signing(Signer("gateway"), TicketKind.User, accountId)) { BaseAddress = address };

    /// <summary>The header that lets one request in, for requests that no client would write.</summary>
    internal string Ticket(Guid accountId, string method, string path)
    {
        using var signer = Signer("gateway");
        return $"{TicketAuthentication.HeaderName}: {signer.Sign(TicketKind.User, "uploads", accountId, method, path)}";
    }

    private HttpClient Client(string issuer, TicketKind kind, Guid accountId) => new(new Signing(Signer(issuer), kind, accountId)) { BaseAddress = Address };

    internal Dictionary<string, string?> Settings()
    {
        var settings = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["ConnectionStrings:uploads"] = Postgres.App("uploads"),
            ["ConnectionStrings:uploads-dispatcher"] = Postgres.Dispatcher("uploads"),
            ["ConnectionStrings:messaging"] = Broker.For("uploads"),
            ["ConnectionStrings:photos"] = Store.For("uploads", "photos"),
            ["Tickets:Audience"] = "uploads",

            // A child that has to wait for its core is none that hangs.
            ["Imaging:PhotoTimeout"] = $"{Pools.PhotoTimeout:c}",
            ["Imaging:StartTimeout"] = $"{Pools.StartTimeout:c}",
        };
        foreach (var (issuer, key) in _keys)
        {
            settings[$"Tickets:Issuers:{issuer}"] = Convert.ToBase64String(key.ExportSubjectPublicKeyInfo());
        }

        return settings;
    }

    private TicketSigner Signer(string issuer) => new(
        Options.Create(new TicketOptions { Audience = issuer, SigningKey = Convert.ToBase64String(_keys[issuer].ExportPkcs8PrivateKey()) }), TimeProvider.System);

    private async Task WaitUntilHealthyAsync()
    {
        using var client = Anonymous();
        await Eventually.TrueAsync(
            async () =>
            {
                using var answer = await client.GetAsync("/health");
                return (answer.IsSuccessStatusCode, $"{answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
            },
            Deadline.Journey);
    }

    private sealed class Signing(TicketSigner signer, TicketKind kind, Guid accountId) : DelegatingHandler(new HttpClientHandler())
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.Add(
                TicketAuthentication.HeaderName, signer.Sign(kind, "uploads", accountId, request.Method.Method, Uri.UnescapeDataString(request.RequestUri!.AbsolutePath)));
            return base.SendAsync(request, cancellationToken);
        }

        protected override void Dispose(bool disposing)
        {
            signer.Dispose();
            base.Dispose(disposing);
        }
    }
}

[CollectionDefinition(Name)]
public sealed class UploadsCollection : ICollectionFixture<UploadsFixture>
{
    public const string Name = "uploads service";
}

/// <summary>A form of photos.</summary>
internal static class Form
{
    public static MultipartFormDataContent Of(params (string Name, byte[] Bytes)[] files)
    {
        var form = new MultipartFormDataContent();
        foreach (var (name, bytes) in files)
        {
            var part = new ByteArrayContent(bytes);
            part.Headers.ContentType = new MediaTypeHeaderValue("image/jpeg");
            form.Add(part, "photos", name);
        }

        return form;
    }
}
