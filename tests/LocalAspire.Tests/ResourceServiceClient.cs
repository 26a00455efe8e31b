using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using Aspire.Hosting.Dashboard;
using Google.Protobuf;

namespace Flurrty.LocalAspire.Tests;

/// <summary>Speaks gRPC to the resource service as the dashboard does.</summary>
internal sealed class ResourceServiceClient : IDisposable
{
    private readonly HttpClient _http;

    internal ResourceServiceClient(Uri address, string? apiKey)
    {
        _http = new HttpClient { BaseAddress = address };
        if (apiKey is not null)
        {
            _http.DefaultRequestHeaders.Add(ResourceServiceHost.ApiKeyHeader, apiKey);
        }
    }

    public void Dispose() => _http.Dispose();

    /// <summary>Sends one message and reads the answers for as long as they are wanted.</summary>
    internal async Task<string> CallAsync<T>(string method, IMessage request, MessageParser<T> parser, Func<T, bool> goOn)
        where T : IMessage<T>
    {
        var body = request.ToByteArray();
        var framed = new byte[5 + body.Length];
        BinaryPrimitives.WriteUInt32BigEndian(framed.AsSpan(1), (uint)body.Length);
        body.CopyTo(framed, 5);
        using var message = new HttpRequestMessage(HttpMethod.Post, $"/aspire.v1.DashboardService/{method}")
        {
            Content = new ByteArrayContent(framed),
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        message.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        using var response = await _http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, Deadline.In(30));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        await using var stream = await response.Content.ReadAsStreamAsync();
        var prefix = new byte[5];
        while (await stream.ReadAtLeastAsync(prefix, 5, throwOnEndOfStream: false, Deadline.In(30)) == 5)
        {
            var answer = new byte[BinaryPrimitives.ReadUInt32BigEndian(prefix.AsSpan(1))];
            await stream.ReadExactlyAsync(answer, Deadline.In(30));
            if (!goOn(parser.ParseFrom(answer)))
            {
                return "(left)";
            }
        }

        return response.TrailingHeaders.TryGetValues("grpc-status", out var trailer) ? trailer.Single() : response.Headers.GetValues("grpc-status").Single();
    }

    internal async Task<T> CallAsync<T>(string method, IMessage request, MessageParser<T> parser)
        where T : IMessage<T>
    {
        List<T> answers = [];
        var status = await CallAsync(method, request, parser, a =>
        {
            answers.Add(a);
            return true;
        });
        Assert.Equal("0", status);
        return Assert.Single(answers);
    }
}
