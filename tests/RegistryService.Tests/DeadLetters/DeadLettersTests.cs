using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Flurrty.ServiceDefaults.Tickets;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using RabbitMQ.Client;

namespace Flurrty.RegistryService.Tests.DeadLetters;

/// <summary>A message that a consumer of the test takes.</summary>
public sealed record Note(string Text);

/// <summary>A message that no consumer takes.</summary>
public sealed record Stray(string Text);

/// <summary>Over a real RabbitMQ, with letters as MassTransit really leaves them.</summary>
[Collection(RegistryCollection.Name)]
public sealed class DeadLettersTests(RegistryFixture fixture) : IAsyncLifetime
{
    private const string Queue = "release-dataset";
    private const string Path = "/api/operator/dead-letters";
    private const string SecretInBody = "sunflower-in-the-body";
    private const string SecretInException = "tulip-in-the-exception";

    private readonly Guid _id = Guid.CreateVersion7();
    private readonly Consumer _consumer = new();
    private IBusControl _bus = null!;
    private HttpClient _operator = null!;

    public async Task InitializeAsync()
    {
        _operator = fixture.Registry.ClientOf(Guid.CreateVersion7(), TicketKind.Operator);
        _bus = Bus.Factory.CreateUsingRabbitMq(rabbit =>
        {
            rabbit.Host(new Uri(fixture.RabbitMq.For("training")));
            rabbit.ReceiveEndpoint(Queue, endpoint => endpoint.Instance(_consumer));
        });
        await _bus.StartAsync();
    }

    public async Task DisposeAsync()
    {
        await _bus.StopAsync();
        _operator.Dispose();
    }

    [Fact]
    public async Task FailedMessage_IsShownWithoutItsSecretsAndReplayedWithoutItsFault()
    {
        await SendAsync(new Note(SecretInBody));
        var (letter, answer) = await WaitForLetterAsync($"{Queue}_error");
        Assert.Equal("Flurrty.RegistryService.Tests.DeadLetters.Note", letter.Text("message_type"));
        Assert.Equal("System.InvalidOperationException", letter.Text("exception_type"));
        Assert.InRange(letter.GetProperty("age_seconds").GetInt64(), 0, 3600);
        Assert.True(letter.GetProperty("failed_at").GetDateTimeOffset() >= letter.GetProperty("sent_at").GetDateTimeOffset());

        // The letter itself has what is looked for.
        var (headers, body) = await RawAsync($"{Queue}_error");
        Assert.Contains(SecretInBody, body, StringComparison.Ordinal);
        Assert.Contains(SecretInException, headers["MT-Fault-Message"], StringComparison.Ordinal);
        Assert.Contains(nameof(Consumer), headers["MT-Fault-StackTrace"], StringComparison.Ordinal);
        Assert.DoesNotContain(SecretInBody, answer, StringComparison.Ordinal);
        Assert.DoesNotContain(SecretInException, answer, StringComparison.Ordinal);
        Assert.DoesNotContain(nameof(Consumer), answer, StringComparison.Ordinal);

        // Looking takes nothing away.
        Assert.NotNull(await LetterAsync());
        _consumer.Fails = false;
        using var replayed = await _operator.PostAsync(new Uri($"{Path}/{Queue}_error/{_id}/replay", UriKind.Relative), content: null);
        Assert.Equal((HttpStatusCode.OK, _id), (replayed.StatusCode, (await replayed.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("message_id").GetGuid()));
        ConsumeContext<Note>? again = null;
        await RegistryFixture.WaitAsync(() => Task.FromResult((again = _consumer.Taken.FirstOrDefault(note => note.MessageId == _id)) is not null), () => "the message has not come");
        Assert.Equal(SecretInBody, again!.Message.Text);
        Assert.Equal("kept", again.Headers.Get<string>("X-Kept"));
        Assert.DoesNotContain(again.ReceiveContext.TransportHeaders.GetAll(), header => header.Key.StartsWith("MT-Fault", StringComparison.Ordinal) || header.Key == "MT-Reason");
        Assert.Null(await LetterAsync());
        Assert.DoesNotContain(fixture.Registry.Log, line => line.Contains(SecretInBody, StringComparison.Ordinal) || line.Contains(SecretInException, StringComparison.Ordinal));
    }

    [Fact]
    public async Task MessageThatNobodyTakes_IsShownWithoutExceptionAndDroppedOnce()
    {
        await SendAsync(new Stray(SecretInBody));
        var (letter, answer) = await WaitForLetterAsync($"{Queue}_skipped");
        Assert.Equal("Flurrty.RegistryService.Tests.DeadLetters.Stray", letter.Text("message_type"));
        Assert.Equal(JsonValueKind.Null, letter.GetProperty("exception_type").ValueKind);
        Assert.InRange(letter.GetProperty("age_seconds").GetInt64(), 0, 3600);
        Assert.DoesNotContain(SecretInBody, answer, StringComparison.Ordinal);
        var address = new Uri($"{Path}/{Queue}_skipped/{_id}", UriKind.Relative);
        using var dropped = await _operator.DeleteAsync(address);
        Assert.Equal(HttpStatusCode.OK, dropped.StatusCode);
        Assert.Null(await LetterAsync());
        using var again = await _operator.DeleteAsync(address);
        Assert.Equal((HttpStatusCode.NotFound, "dead_letter_not_found"), (again.StatusCode, await again.CodeAsync()));
    }

    [Fact]
    public async Task Replay_IntoAQueueThatIsNotThere_LeavesTheLetterWhereItWas()
    {
        const string Letters = "cancel-training_error";
        await using var connection = await ConnectAsync();
        await using var channel = await connection.CreateChannelAsync();
        await channel.QueueDeclareAsync(Letters, durable: true, exclusive: false, autoDelete: false);
        await channel.BasicPublishAsync("", Letters, mandatory: true, new BasicProperties { MessageId = _id.ToString() }, "no envelope"u8.ToArray());
        var (letter, _) = await WaitForLetterAsync(Letters);
        Assert.Equal(JsonValueKind.Null, letter.GetProperty("message_type").ValueKind);
        using var refused = await _operator.PostAsync(new Uri($"{Path}/{Letters}/{_id}/replay", UriKind.Relative), content: null);
        Assert.Equal((HttpStatusCode.Conflict, "dead_letter_not_taken"), (refused.StatusCode, await refused.CodeAsync()));
        Assert.NotNull(await LetterAsync());
        using var dropped = await _operator.DeleteAsync(new Uri($"{Path}/{Letters}/{_id}", UriKind.Relative));
        Assert.Equal(HttpStatusCode.OK, dropped.StatusCode);
    }

    [Theory]
    [InlineData("""{"messageType":["\ud800"]}""")]
    [InlineData("""{"messageType":[],"sentTime":"\ud800"}""")]
    [InlineData("""{"message\ud800Type":[]}""")]
    public async Task Letter_WithTextThatCannotBeRead_IsShownReplayedAndDropped(string body)
    {
        await using var connection = await ConnectAsync();
        await using var channel = await connection.CreateChannelAsync();
        await channel.BasicPublishAsync("", Queue, mandatory: true, new BasicProperties { MessageId = _id.ToString(), Persistent = true }, Encoding.UTF8.GetBytes(body));
        var (letter, _) = await WaitForLetterAsync($"{Queue}_error");
        Assert.Equal(JsonValueKind.Null, letter.GetProperty("message_type").ValueKind);
        Assert.Equal(JsonValueKind.Null, letter.GetProperty("sent_at").ValueKind);

        // Put back, it fails again.
        var failedAt = letter.GetProperty("failed_at").GetDateTimeOffset();
        using var replayed = await _operator.PostAsync(new Uri($"{Path}/{Queue}_error/{_id}/replay", UriKind.Relative), content: null);
        Assert.Equal((HttpStatusCode.OK, _id), (replayed.StatusCode, (await replayed.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("message_id").GetGuid()));
        await RegistryFixture.WaitAsync(
            async () => await LetterAsync() is { } again && again.GetProperty("failed_at").GetDateTimeOffset() > failedAt, () => "the message has not failed again");
        using var dropped = await _operator.DeleteAsync(new Uri($"{Path}/{Queue}_error/{_id}", UriKind.Relative));
        Assert.Equal((HttpStatusCode.OK, _id), (dropped.StatusCode, (await dropped.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("message_id").GetGuid()));
        Assert.Null(await LetterAsync());
    }

    [Fact]
    public async Task List_WithALimit_ShowsAsManyAndCountsAll()
    {
        for (var i = 0; i < 3; i++)
        {
            await SendAsync(new Stray($"{i}"));
        }

        var list = default(JsonElement);
        await RegistryFixture.WaitAsync(
            async () => (list = await _operator.GetFromJsonAsync<JsonElement>($"{Path}?limit=2")).GetProperty("total").GetInt64() >= 3, () => list.GetRawText());
        Assert.Equal(2, list.GetProperty("letters").GetArrayLength());
        for (var i = 0; i < 3; i++)
        {
            using var dropped = await _operator.DeleteAsync(new Uri($"{Path}/{Queue}_skipped/{_id}", UriKind.Relative));
            Assert.Equal(HttpStatusCode.OK, dropped.StatusCode);
        }
    }

    [Theory]
    [InlineData("0")]
    [InlineData("501")]
    [InlineData("many")]
    public async Task List_WithAWrongLimit_IsRefused(string limit)
    {
        using var refused = await _operator.GetAsync(new Uri($"{Path}?limit={limit}", UriKind.Relative));
        Assert.Equal((HttpStatusCode.BadRequest, "invalid_limit"), (refused.StatusCode, await refused.CodeAsync()));
    }

    [Theory]
    [InlineData(Queue)]
    [InlineData("registry-training-events")]
    [InlineData("nothing_error")]
    public async Task Drop_FromAQueueOfNoDeadLetters_IsNotFound(string queue)
    {
        using var refused = await _operator.DeleteAsync(new Uri($"{Path}/{queue}/{_id}", UriKind.Relative));
        Assert.Equal((HttpStatusCode.NotFound, "dead_letter_not_found"), (refused.StatusCode, await refused.CodeAsync()));
    }

    [Fact]
    public async Task UsersTicket_IsRefusedHereAndOperatorsElsewhere()
    {
        using var user = fixture.Registry.ClientOf(Guid.CreateVersion7());
        using var refused = await user.GetAsync(new Uri(Path, UriKind.Relative));
        Assert.Equal((HttpStatusCode.Forbidden, "forbidden"), (refused.StatusCode, await refused.CodeAsync()));
        using var letIn = await _operator.GetAsync(new Uri(Path, UriKind.Relative));
        Assert.Equal(HttpStatusCode.OK, letIn.StatusCode);
        using var elsewhere = await _operator.GetAsync(new Uri("/api/identities", UriKind.Relative));
        Assert.Equal((HttpStatusCode.Forbidden, "forbidden"), (elsewhere.StatusCode, await elsewhere.CodeAsync()));
    }

    [Fact]
    public async Task Broker_Away_IsToldAndLeavesTheServiceReady()
    {
        var alone = fixture.Start();
        using var client = alone.ClientOf(Guid.CreateVersion7(), TicketKind.Operator);
        using var refused = await client.GetAsync(new Uri(Path, UriKind.Relative));
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "broker_unavailable"), (refused.StatusCode, await refused.CodeAsync()));
        using var health = await client.GetAsync(new Uri("/health", UriKind.Relative));
        Assert.Equal((HttpStatusCode.OK, "Degraded"), (health.StatusCode, await health.Content.ReadAsStringAsync()));
        Assert.Equal(HealthStatus.Degraded, await BrokerHealthAsync(alone));
        Assert.Equal(HealthStatus.Healthy, await BrokerHealthAsync(fixture.Registry));
    }

    [Fact]
    public async Task Document_OfTheService_ShowsTheRoutes()
    {
        var document = await _operator.GetFromJsonAsync<JsonElement>("/openapi/v1.json");
        var paths = document.GetProperty("paths");
        Assert.True(paths.GetProperty(Path).TryGetProperty("get", out _));
        Assert.True(paths.GetProperty($"{Path}/{{queue}}/{{message_id}}/replay").TryGetProperty("post", out _));
        Assert.True(paths.GetProperty($"{Path}/{{queue}}/{{message_id}}").TryGetProperty("delete", out _));
    }

    private static async Task<HealthStatus> BrokerHealthAsync(RegistryInstance instance)
    {
        var report = await instance.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(static check => check.Name.StartsWith("RabbitMQ", StringComparison.Ordinal));
        return Assert.Single(report.Entries).Value.Status;
    }

    private async Task SendAsync<T>(T message)
        where T : class
    {
        var endpoint = await _bus.GetSendEndpoint(new Uri($"queue:{Queue}"));
        await endpoint.Send(message, context =>
        {
            context.MessageId = _id;
            context.Headers.Set("X-Kept", "kept");
        });
    }

    private async Task<JsonElement?> LetterAsync() => Of(await _operator.GetStringAsync(new Uri(Path, UriKind.Relative)));

    private JsonElement? Of(string answer)
    {
        var letters = JsonElement.Parse(answer).GetProperty("letters").EnumerateArray().Where(letter => letter.Text("message_id") == _id.ToString()).ToArray();
        return letters.Length == 0 ? null : letters[0];
    }

    private async Task<(JsonElement Letter, string Answer)> WaitForLetterAsync(string queue)
    {
        var answer = "";
        await RegistryFixture.WaitAsync(
            async () => Of(answer = await _operator.GetStringAsync(new Uri(Path, UriKind.Relative)))?.Text("queue") == queue, () => answer);
        return (Of(answer)!.Value, answer);
    }

    private Task<IConnection> ConnectAsync() => new ConnectionFactory { Uri = new Uri(fixture.RabbitMq.For("training")) }.CreateConnectionAsync();

    /// <summary>The whole letter as it lies in the queue, put back.</summary>
    private async Task<(Dictionary<string, string> Headers, string Body)> RawAsync(string queue)
    {
        await using var connection = await ConnectAsync();
        await using var channel = await connection.CreateChannelAsync();
        while (true)
        {
            var message = await channel.BasicGetAsync(queue, autoAck: false) ?? throw new InvalidOperationException($"{queue} does not hold the letter.");
            if (message.BasicProperties.MessageId == _id.ToString())
            {
                var headers = message.BasicProperties.Headers!.ToDictionary(
                    header => header.Key, header => header.Value is byte[] bytes ? Encoding.UTF8.GetString(bytes) : $"{header.Value}", StringComparer.Ordinal);
                return (headers, Encoding.UTF8.GetString(message.Body.Span));
            }
        }
    }

    private sealed class Consumer : IConsumer<Note>
    {
        public ConcurrentQueue<ConsumeContext<Note>> Taken { get; } = [];

        public bool Fails { get; set; } = true;

        public Task Consume(ConsumeContext<Note> context)
        {
            if (Fails)
            {
                throw new InvalidOperationException(SecretInException);
            }

            Taken.Enqueue(context);
            return Task.CompletedTask;
        }
    }
}
