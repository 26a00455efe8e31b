using System.Net;
using Flurrty.ServiceDefaults.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace Flurrty.ServiceDefaults.Tests;

public sealed class ResilienceTests
{
    [Fact]
    public async Task Send_GetThatFailsTwice_IsRepeated()
    {
        var server = new Server(HttpStatusCode.ServiceUnavailable, HttpStatusCode.BadGateway, HttpStatusCode.OK);
        using var client = Client(server);
        using var response = await client.GetAsync(new Uri("http://server/"));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(3, server.Calls);
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("PUT")]
    [InlineData("PATCH")]
    [InlineData("DELETE")]
    public async Task Send_UnsafeRequestThatFails_IsSentOnce(string method)
    {
        var server = new Server(HttpStatusCode.ServiceUnavailable, HttpStatusCode.OK);
        using var client = Client(server);
        using var request = new HttpRequestMessage(new HttpMethod(method), "http://server/");
        using var response = await client.SendAsync(request);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal(1, server.Calls);
    }

    [Fact]
    public async Task Send_RetryAfterBeyondTheBound_IsNotRepeated()
    {
        var server = new Server(HttpStatusCode.TooManyRequests, HttpStatusCode.OK) { RetryAfter = TimeSpan.FromMinutes(1) };
        using var client = Client(server);
        using var response = await client.GetAsync(new Uri("http://server/"));
        Assert.Equal(HttpStatusCode.TooManyRequests, response.StatusCode);
        Assert.Equal(1, server.Calls);
    }

    private static HttpClient Client(Server server) => new(new ResilienceHandler(NullLogger<ResilienceHandler>.Instance) { InnerHandler = server });

    private sealed class Server(params HttpStatusCode[] answers) : HttpMessageHandler
    {
        public int Calls { get; private set; }

        public TimeSpan? RetryAfter { get; init; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var response = new HttpResponseMessage(answers[Calls++]);
            if (RetryAfter is { } wait)
            {
                response.Headers.RetryAfter = new System.Net.Http.Headers.RetryConditionHeaderValue(wait);
            }

            return Task.FromResult(response);
        }
    }
}
