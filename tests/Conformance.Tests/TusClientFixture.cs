using System.Diagnostics;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Flurrty.NativeInfrastructure;
using Flurrty.UploadService.Persistence;
using Flurrty.UploadService.Tests.Fixtures;

namespace Flurrty.Conformance.Tests;

/// <summary>UploadService behind the gateway, as processes of their own, over a real database, broker and store.</summary>
public sealed class TusClientFixture : IAsyncLifetime
{
    private const string Key = "flr_0123456789abcdefghijABCDEFGHIJ00";

    private static readonly string Clients = typeof(TusClientFixture).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(metadata => metadata.Key == "ClientsDirectory").Value!;

    private readonly List<IAsyncDisposable> _owned = [];
    private Uri _gateway = null!;

    public async Task InitializeAsync()
    {
        _ = await RunAsync("bash", [Path.Combine(Clients, "install.sh")], []);
        var postgres = Own(await NativePostgres.StartAsync("uploads"));
        var broker = Own(await NativeRabbitMq.StartAsync("uploads"));
        var store = Own(await NativeObjectStore.StartAsync("uploads"));
        await postgres.MigrateAsync<UploadsContext>("uploads", static options => new UploadsContext(options));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var uploads = Own(await ServiceProcess.StartAsync(new(StringComparer.Ordinal)
        {
            ["ConnectionStrings:uploads"] = postgres.App("uploads"),
            ["ConnectionStrings:uploads-dispatcher"] = postgres.Dispatcher("uploads"),
            ["ConnectionStrings:messaging"] = broker.For("uploads"),
            ["ConnectionStrings:photos"] = store.For("uploads", "photos"),
            ["Tickets:Audience"] = "uploads",
            ["Tickets:Issuers:gateway"] = Convert.ToBase64String(key.ExportSubjectPublicKeyInfo()),
        }));
        var gateway = Own(await ServiceProcess.StartAsync(
            new(StringComparer.Ordinal)
            {
                ["Tickets:Audience"] = "gateway",
                ["Tickets:SigningKey"] = Convert.ToBase64String(key.ExportPkcs8PrivateKey()),
                ["ApiKeys:0:Sha256"] = Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(Key))),
                ["ApiKeys:0:AccountId"] = Guid.NewGuid().ToString(),
                ["services:uploads:http:0"] = uploads.Address.ToString(),
                ["services:training:http:0"] = uploads.Address.ToString(),
                ["services:registry:http:0"] = uploads.Address.ToString(),
            },
            "Flurrty.Gateway.dll"));
        _gateway = gateway.Address;
    }

    public async Task DisposeAsync()
    {
        foreach (var owned in Enumerable.Reverse(_owned))
        {
            await owned.DisposeAsync();
        }
    }

    /// <summary>Runs a script that drives the client; what it prints.</summary>
    public async Task<JsonNode> RunAsync(string script) => JsonNode.Parse(await RunAsync(
        "node", [Path.Combine(Clients, "tus", script)], new() { ["GATEWAY_URL"] = _gateway.ToString(), ["API_KEY"] = Key }))!;

    private T Own<T>(T owned)
        where T : IAsyncDisposable
    {
        _owned.Add(owned);
        return owned;
    }

    private static async Task<string> RunAsync(string program, string[] arguments, Dictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        using var limit = new CancellationTokenSource(Deadline.Journey);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
        }

        Assert.True(process.HasExited && process.ExitCode == 0, $"{arguments[0]}: {await output} {await errors}");
        return await output;
    }
}
