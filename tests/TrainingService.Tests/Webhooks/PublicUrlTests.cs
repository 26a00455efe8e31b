using Flurrty.TrainingService.Tests.Support;
using Flurrty.TrainingService.Webhooks;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Flurrty.TrainingService.Tests.Webhooks;

/// <summary>The public URL is tried by ourselves before a provider is told it.</summary>
public sealed class PublicUrlTests : IAsyncDisposable
{
    private const int Works = 4131;
    private const int Fails = 4132;

    private readonly CollectedLog _log = new();
    private RemoteServer? _server;
    private IHost? _host;

    public async ValueTask DisposeAsync()
    {
        if (_host is not null)
        {
            await _host.StopAsync();
            _host.Dispose();
        }

        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }

    [Fact]
    public async Task Url_ThatLeadsToTheGateway_Works()
    {
        var url = await StartAsync(static context => context.Response.WriteAsync("Healthy"), path: "/under/a/path/");

        Assert.True(await url.WorksAfterFirstTryAsync(CancellationToken.None));
        Assert.Equal(("GET", "/under/a/path/alive", null), Assert.Single(_server!.Requests));
        Assert.Single(_log.Entries, static entry => entry.EventId == Works);
    }

    [Theory]
    [InlineData("redirect", "redirects (302) to https://login.example/sign-in")]
    [InlineData("401", "sign in (401)")]
    [InlineData("403", "sign in (403)")]
    [InlineData("page", "something else than the gateway")]
    [InlineData("other", "something else than the gateway")]
    public async Task Url_BehindAWall_IsToldAtOnceAndOnlyOnce(string kind, string what)
    {
        var url = await StartAsync(context => AnswerAsync(context, kind), startTimeout: "01:00:00");

        Assert.False(await url.WorksAfterFirstTryAsync(CancellationToken.None));
        await Eventually.IsTrueAsync(() => _server!.Requests.Count >= 3, () => _log.ToString());
        var told = Assert.Single(_log.Entries, static entry => entry.EventId == Fails);
        Assert.Equal(LogLevel.Warning, told.Level);
        Assert.Contains(what, told.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("a-secret-of-the-wall", _log.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("500", "answers 500")]
    [InlineData("502", "answers 502")]
    [InlineData("404", "not by the gateway (404)")]
    [InlineData("never", "does not answer within")]
    public async Task Url_ThatMayOnlyBeLate_IsToldAfterAWhile(string kind, string what)
    {
        var url = await StartAsync(context => AnswerAsync(context, kind), timeout: kind is "never" ? "00:00:00.5" : "00:02:00");

        Assert.False(await url.WorksAfterFirstTryAsync(CancellationToken.None));
        Assert.Contains(_log.Entries, entry => entry.EventId == Fails && entry.Text.Contains(what, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Url_WithACertificateThatNobodyVouchesFor_IsTold()
    {
        var url = await StartAsync(static context => context.Response.WriteAsync("Healthy"), https: true, startTimeout: "01:00:00");

        Assert.False(await url.WorksAfterFirstTryAsync(CancellationToken.None));
        Assert.Contains(_log.Entries, static entry => entry.EventId == Fails && entry.Text.Contains("certificate", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Url_OfAGatewayThatStartsLater_IsUsedWhenItIsThereAndNothingIsSaidBefore()
    {
        var isUp = false;
        var url = await StartAsync(context => AnswerAsync(context, Volatile.Read(ref isUp) ? "healthy" : "502"), startTimeout: "01:00:00");

        Assert.False(await url.WorksAfterFirstTryAsync(CancellationToken.None));
        Volatile.Write(ref isUp, true);
        await Eventually.IsTrueAsync(() => url.Works, () => _log.ToString());

        Assert.Equal([Works], _log.Entries.Where(static entry => entry.EventId is Works or Fails).Select(static entry => entry.EventId));
    }

    [Fact]
    public async Task Url_ThatIsNotSet_IsNotTried()
    {
        var url = await StartAsync(static _ => Task.CompletedTask, path: null);

        Assert.False(await url.WorksAfterFirstTryAsync(CancellationToken.None));
        Assert.Empty(_server!.Requests);
        Assert.DoesNotContain(_log.Entries, static entry => entry.EventId is Works or Fails);
    }

    private static Task AnswerAsync(HttpContext context, string kind)
    {
        switch (kind)
        {
            case "redirect":
                context.Response.StatusCode = 302;
                context.Response.Headers.Location = "https://login.example/sign-in?state=a-secret-of-the-wall";
                return Task.CompletedTask;
            case "page":
                context.Response.ContentType = "text/html";
                return context.Response.WriteAsync("<html>Healthy");
            case "other":
                return context.Response.WriteAsync("ok");
            case "healthy":
                return context.Response.WriteAsync("Healthy");
            case "never":
                return RemoteServer.NeverAsync(context);
            default:
                context.Response.StatusCode = int.Parse(kind, System.Globalization.CultureInfo.InvariantCulture);
                return Task.CompletedTask;
        }
    }

    private async Task<PublicUrl> StartAsync(Func<HttpContext, Task> answer, string? path = "/", string startTimeout = "00:00:00", bool https = false, string timeout = "00:02:00")
    {
        _server = await RemoteServer.StartAsync(https);
        _server.Answer = context =>
        {
            context.Response.ContentType = "text/plain";
            return answer(context);
        };
        var builder = Host.CreateApplicationBuilder();
        builder.Configuration["PublicBaseUrl"] = path is null ? "" : new Uri(_server.Address, path).ToString();
        builder.Configuration["PublicUrl:Timeout"] = timeout;
        builder.Configuration["PublicUrl:Pause"] = "00:00:00.02";
        builder.Configuration["PublicUrl:MaxPause"] = "00:00:00.05";
        builder.Configuration["PublicUrl:StartTimeout"] = startTimeout;
        builder.Logging.ClearProviders().AddProvider(_log);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.AddWebhooks();
        _host = builder.Build();
        await _host.StartAsync();
        return _host.Services.GetRequiredService<PublicUrl>();
    }
}
