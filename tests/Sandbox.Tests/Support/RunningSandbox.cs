using Microsoft.AspNetCore.Builder;

namespace Flurrty.Sandbox.Tests.Support;

/// <summary>A sandbox in this process, over real HTTP, with data of its own.</summary>
internal sealed class RunningSandbox : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly DirectoryInfo _data;

    private RunningSandbox(WebApplication app, DirectoryInfo data)
    {
        _app = app;
        _data = data;
        Replicate = new ReplicateDriver(app.Urls.First());
    }

    public ReplicateDriver Replicate { get; }

    public string DataDirectory => _data.FullName;

    public static async Task<RunningSandbox> StartAsync(params string[] options)
    {
        var data = Directory.CreateTempSubdirectory("sandbox-test-");
        var app = SandboxApplication.Create(Arguments(data.FullName, options));
        await app.StartAsync();
        return new RunningSandbox(app, data);
    }

    public static string[] Arguments(string data, IEnumerable<string> options) =>
    [
        "--urls=http://127.0.0.1:0",
        $"--Sandbox:DataDirectory={data}",
        $"--Sandbox:Tokens:0={ReplicateDriver.Token}",
        $"--Sandbox:Tokens:1={ReplicateDriver.OtherToken}",
        "--Sandbox:SecondsPerTraining=0.4",
        "--Sandbox:Replicate:WebhookRetryDelay=00:00:00.050",
        "--Logging:LogLevel:Default=Warning",
        "--Logging:LogLevel:Microsoft.Hosting.Lifetime=Information",
        .. options,
    ];

    public Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        Replicate.Dispose();
        await _app.DisposeAsync();
        _data.Delete(recursive: true);
    }
}
