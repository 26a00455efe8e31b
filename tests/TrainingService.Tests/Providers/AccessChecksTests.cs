using Flurrty.TrainingService.Providers;
using Flurrty.TrainingService.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Flurrty.TrainingService.Tests.Providers;

/// <summary>Whether a token is accepted is found out at start, in the background, within bounds, and told once.</summary>
public sealed class AccessChecksTests : IAsyncLifetime
{
    private const string Token = "r8_a_token_that_no_log_shows";

    private readonly CollectedLog _log = new();
    private RemoteServer _server = null!;
    private IHost? _host;

    public async Task InitializeAsync() => _server = await RemoteServer.StartAsync();

    public async Task DisposeAsync()
    {
        if (_host is not null)
        {
            await _host.StopAsync();
            _host.Dispose();
        }

        await _server.DisposeAsync();
        Assert.DoesNotContain(Token, _log.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Check_OfAnAcceptedToken_NamesTheAccountAndOnlyReads()
    {
        _server.Answer = AcceptAsync;
        var checks = await StartAsync();

        var access = await checks.AfterFirstCheckAsync("replicate", CancellationToken.None);

        Assert.Equal(new ProviderAccess(AccessState.Accepted, "someone"), access);
        Assert.Equal(("GET", "/v1/account", $"Bearer {Token}"), Assert.Single(_server.Requests));
        Assert.Contains(_log.Entries, static entry => entry.EventId == 4111 && entry.Text.Contains("someone", StringComparison.Ordinal));
        Assert.Equal(HealthStatus.Healthy, (await checks.CheckHealthAsync(new HealthCheckContext())).Status);
    }

    [Theory]
    [InlineData(401)]
    [InlineData(403)]
    public async Task Check_OfARefusedToken_IsToldOnceAndATokenMadeValidIsNoticed(int status)
    {
        _server.Answer = context => AnswerAsync(context, status, """{"title":"Unauthenticated","detail":"You did not pass a valid authentication token"}""");
        var checks = await StartAsync();

        var access = await checks.AfterFirstCheckAsync("replicate", CancellationToken.None);
        await Eventually.IsTrueAsync(() => _server.Requests.Count >= 3, () => _log.ToString());

        Assert.Equal(AccessState.Refused, access.State);
        Assert.Contains("You did not pass a valid authentication token", access.Detail, StringComparison.Ordinal);
        var told = Assert.Single(_log.Entries, static entry => entry.EventId == 4112);
        Assert.Equal(LogLevel.Error, told.Level);
        Assert.Contains("Give a valid token", told.Text, StringComparison.Ordinal);
        Assert.Equal(HealthStatus.Degraded, (await checks.CheckHealthAsync(new HealthCheckContext())).Status);

        _server.Answer = AcceptAsync;
        await Eventually.IsTrueAsync(() => checks.Of("replicate").State == AccessState.Accepted, () => _log.ToString());
    }

    [Fact]
    public async Task Check_WithNobodyThere_IsToldAsUnreachableAndTriedAgain()
    {
        _server.Answer = AcceptAsync;
        var address = _server.Address;
        await _server.DisposeAsync();
        var checks = await StartAsync(address);

        var access = await checks.AfterFirstCheckAsync("replicate", CancellationToken.None);

        Assert.Equal(AccessState.Unreachable, access.State);
        var told = Assert.Single(_log.Entries, static entry => entry.EventId == 4113);
        Assert.Equal(LogLevel.Warning, told.Level);
        Assert.DoesNotContain(_log.Entries, static entry => entry.EventId == 4112);
    }

    [Fact]
    public async Task Check_NeverAnswered_IsUnreachableAtItsTimeoutAndTriedAgainUntilKnown()
    {
        _server.Answer = RemoteServer.NeverAsync;
        var checks = await StartAsync(timeout: "00:00:01");

        var access = await checks.AfterFirstCheckAsync("replicate", CancellationToken.None);

        Assert.Equal(AccessState.Unreachable, access.State);
        Assert.Contains("did not answer within", access.Detail, StringComparison.Ordinal);
        _server.Answer = AcceptAsync;
        await Eventually.IsTrueAsync(() => checks.Of("replicate").State == AccessState.Accepted, () => _log.ToString());
        Assert.Single(_log.Entries, static entry => entry.EventId == 4113);
    }

    [Fact]
    public async Task Start_WithAProviderThatNeverAnswers_IsNotHeldUp()
    {
        _server.Answer = RemoteServer.NeverAsync;
        var checks = await StartAsync();

        // The host is up, and nothing is claimed to be known.
        Assert.Equal(ProviderAccess.Unchecked, checks.Of("replicate"));
        using var late = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => checks.AfterFirstCheckAsync("replicate", late.Token));
    }

    private static Task AcceptAsync(HttpContext context) => AnswerAsync(context, 200, """{"type":"user","username":"someone"}""");

    private static Task AnswerAsync(HttpContext context, int status, string body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(body);
    }

    private async Task<AccessChecks> StartAsync(Uri? address = null, string timeout = "00:02:00")
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Configuration["Installation:Id"] = Guid.NewGuid().ToString();
        builder.Configuration["Replicate:Mode"] = "sandbox";
        builder.Configuration["Replicate:BaseUrl"] = new Uri(address ?? _server.Address, "/v1").ToString();
        builder.Configuration["Replicate:ApiToken"] = Token;
        builder.Configuration["Replicate:FirstPause"] = "00:00:00.01";
        builder.Configuration["AccessChecks:Timeout"] = timeout;
        builder.Configuration["AccessChecks:FirstPause"] = "00:00:00.02";
        builder.Configuration["AccessChecks:MaxPause"] = "00:00:00.05";
        builder.Logging.ClearProviders().AddProvider(_log);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.AddProviders();
        _host = builder.Build();
        await _host.StartAsync();
        return _host.Services.GetRequiredService<AccessChecks>();
    }
}
