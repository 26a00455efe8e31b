using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Flurrty.ServiceDefaults.Tests;

public sealed class ResilienceTests
{
    private const int MostTries = 4;

    [Theory]
    [InlineData("GET")]
    [InlineData("HEAD")]
    [InlineData("OPTIONS")]
    public async Task Send_SafeRequestThatFailsTwice_IsRepeated(string method)
    {
        var server = new Server(HttpStatusCode.ServiceUnavailable, HttpStatusCode.BadGateway, HttpStatusCode.OK);
        Assert.Equal(HttpStatusCode.OK, await SendAsync(server, method));
        Assert.Equal(3, server.Calls);
    }

    [Fact]
    public async Task Send_SafeRequestThatFailsAlways_GivesUp()
    {
        var server = new Server(HttpStatusCode.ServiceUnavailable);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await SendAsync(server, "GET"));
        Assert.Equal(MostTries, server.Calls);
    }

    [Fact]
    public async Task Send_SafeRequestWithoutConnection_IsRepeated()
    {
        var server = new Server { IsAway = true };
        await Assert.ThrowsAsync<HttpRequestException>(() => SendAsync(server, "GET"));
        Assert.Equal(MostTries, server.Calls);
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("PUT")]
    [InlineData("PATCH")]
    [InlineData("DELETE")]
    [InlineData("MOVE")]
    public async Task Send_UnsafeRequestThatFails_IsSentOnce(string method)
    {
        var server = new Server(HttpStatusCode.ServiceUnavailable, HttpStatusCode.OK);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await SendAsync(server, method));
        Assert.Equal(1, server.Calls);
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("PUT")]
    [InlineData("PATCH")]
    [InlineData("DELETE")]
    [InlineData("MOVE")]
    public async Task Send_UnsafeRequestWithoutConnection_IsSentOnce(string method)
    {
        var server = new Server { IsAway = true };
        await Assert.ThrowsAsync<HttpRequestException>(() => SendAsync(server, method));
        Assert.Equal(1, server.Calls);
    }

    [Theory]
    [InlineData(HttpStatusCode.NotFound)]
    [InlineData(HttpStatusCode.InternalServerError)]
    public async Task Send_AnswerThatWouldBeTheSameAgain_IsNotRepeated(HttpStatusCode status)
    {
        var server = new Server(status);
        Assert.Equal(status, await SendAsync(server, "GET"));
        Assert.Equal(1, server.Calls);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Send_RetryAfterBeyondTheBound_IsNotRepeated(bool asDate)
    {
        var wait = TimeSpan.FromMinutes(1);
        var server = new Server(HttpStatusCode.TooManyRequests, HttpStatusCode.OK) { RetryAfter = asDate ? new(DateTimeOffset.UtcNow + wait) : new(wait) };
        Assert.Equal(HttpStatusCode.TooManyRequests, await SendAsync(server, "GET"));
        Assert.Equal(1, server.Calls);
    }

    [Fact]
    public async Task Send_RetryAfterWithinTheBound_IsWaitedFor()
    {
        var wait = TimeSpan.FromSeconds(2);
        var server = new Server(HttpStatusCode.ServiceUnavailable, HttpStatusCode.OK) { RetryAfter = new(wait) };
        var start = Stopwatch.GetTimestamp();
        Assert.Equal(HttpStatusCode.OK, await SendAsync(server, "GET"));
        Assert.InRange(Stopwatch.GetElapsedTime(start), wait - TimeSpan.FromMilliseconds(100), TimeSpan.MaxValue);
    }

    private static async Task<HttpStatusCode> SendAsync(Server server, string method)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.AddServiceDefaults();
        builder.Services.AddHttpClient("test").ConfigurePrimaryHttpMessageHandler(() => server);
        await using var app = builder.Build();
        using var client = app.Services.GetRequiredService<IHttpClientFactory>().CreateClient("test");
        using var request = new HttpRequestMessage(new HttpMethod(method), "http://127.0.0.1/");
        using var response = await client.SendAsync(request);
        return response.StatusCode;
    }

    /// <summary>Gives its answers in turn, the last of them again and again.</summary>
    private sealed class Server(params HttpStatusCode[] answers) : HttpMessageHandler
    {
        public int Calls { get; private set; }

        public bool IsAway { get; init; }

        public RetryConditionHeaderValue? RetryAfter { get; init; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Calls++;
            if (IsAway)
            {
                throw new HttpRequestException(HttpRequestError.ConnectionError, "It is away.");
            }

            var response = new HttpResponseMessage(answers[Math.Min(Calls, answers.Length) - 1]);
            response.Headers.RetryAfter = RetryAfter;
            return Task.FromResult(response);
        }
    }
}
