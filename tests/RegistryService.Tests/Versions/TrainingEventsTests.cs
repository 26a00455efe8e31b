using Flurrty.Contracts.Training;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;

namespace Flurrty.RegistryService.Tests.Versions;

/// <summary>Over a real RabbitMQ, with the test in TrainingService's place.</summary>
[Collection(RegistryCollection.Name)]
public sealed class TrainingEventsTests(RegistryFixture fixture) : IAsyncLifetime
{
    private readonly Guid _account = Guid.CreateVersion7();
    private readonly Commands _commands = new();
    private IBusControl _bus = null!;

    public async Task InitializeAsync()
    {
        _bus = Bus.Factory.CreateUsingRabbitMq(rabbit =>
        {
            rabbit.Host(new Uri(fixture.RabbitMq.For("training")));
            rabbit.ReceiveEndpoint("train-identity", endpoint => endpoint.Instance(_commands));
        });
        await _bus.StartAsync();
    }

    public Task DisposeAsync() => _bus.StopAsync();

    [Fact]
    public async Task Identity_OverTheBroker_IsAskedForAndBecomesReady()
    {
        var (client, identity, command) = await CreateAsync();
        Assert.Equal((identity.VersionId(), identity.Id(), _account), (command.Message.JobId, command.Message.IdentityId, command.Message.AccountId));
        await _bus.Publish(Advanced(command, 1, "preparing", 10));
        await RegistryFixture.WaitAsync(client, identity.Id(), json => json.Text("status") == "training" && json.Text("stage") == "preparing");
        await _bus.Publish(Succeeded(command, 5));
        var ready = await RegistryFixture.WaitAsync(client, identity.Id(), json => json.Text("status") == "ready");
        Assert.Equal("replicate", ready.Text("provider"));
        Assert.Equal(123_456, ready.GetProperty("model").GetProperty("bytes").GetInt64());
        Assert.Equal(["pending", "training", "ready"], ready.GetProperty("versions")[0].GetProperty("history").EnumerateArray().Select(change => change.Text("status")));
    }

    [Fact]
    public async Task Events_OutOfOrderAndRepeated_ChangeNothingTwice()
    {
        var (client, identity, command) = await CreateAsync();
        await _bus.Publish(Advanced(command, 4, "training", 60));
        await RegistryFixture.WaitAsync(client, identity.Id(), json => json.GetProperty("progress").GetInt32() == 60);
        await _bus.Publish(Advanced(command, 3, "submitting", 30));
        await _bus.Publish(Advanced(command, 4, "training", 61));
        var repeated = Guid.CreateVersion7();
        await _bus.Publish(Failed(command, 6), context => context.MessageId = repeated);
        await _bus.Publish(Failed(command, 6), context => context.MessageId = repeated);
        await RegistryFixture.WaitAsync(client, identity.Id(), json => json.Text("status") == "failed");
        await _bus.Publish(Succeeded(command, 7));
        var last = Guid.CreateVersion7();
        await _bus.Publish(Advanced(command, 8, "training", 62), context => context.MessageId = last);
        var seen = 0L;
        await RegistryFixture.WaitAsync(
            async () => (seen = await fixture.CountAsync("SELECT count(*) FROM inbox_messages WHERE account_id = $1", _account)) == 6, () => $"{seen} messages in the inbox");
        var ended = await client.ShowAsync(identity.Id());
        Assert.Equal(("failed", 60), (ended.Text("status"), ended.GetProperty("progress").GetInt32()));
        Assert.Equal("provider_rejected_input", ended.GetProperty("error").Text("code"));
        Assert.Equal(["pending", "training", "failed"], ended.GetProperty("versions")[0].GetProperty("history").EnumerateArray().Select(change => change.Text("status")));
    }

    [Fact]
    public async Task Event_WithAnotherAccount_ChangesNothing()
    {
        var (client, identity, command) = await CreateAsync();
        var stranger = Guid.CreateVersion7();
        await _bus.Publish(Succeeded(command, 5) with { AccountId = stranger });
        var seen = 0L;
        await RegistryFixture.WaitAsync(
            async () => (seen = await fixture.CountAsync("SELECT count(*) FROM inbox_messages WHERE account_id = $1", stranger)) == 1, () => $"{seen} messages in the inbox");
        Assert.Equal("pending", (await client.ShowAsync(identity.Id())).Text("status"));
    }

    private static TrainingAdvanced Advanced(ConsumeContext<TrainIdentity> command, long revision, string stage, int progress) => new()
    {
        AccountId = command.Message.AccountId,
        CausedBy = command.Message.CausedBy,
        JobId = command.Message.JobId,
        Revision = revision,
        Stage = stage,
        Progress = progress,
        Attempt = 1,
    };

    private static TrainingSucceeded Succeeded(ConsumeContext<TrainIdentity> command, long revision) => new()
    {
        AccountId = command.Message.AccountId,
        CausedBy = command.Message.CausedBy,
        JobId = command.Message.JobId,
        Revision = revision,
        Provider = "replicate",
        ModelBytes = 123_456,
        ModelSha256 = new string('c', 64),
        TrainedAt = DateTimeOffset.UnixEpoch,
    };

    private static TrainingFailed Failed(ConsumeContext<TrainIdentity> command, long revision) => new()
    {
        AccountId = command.Message.AccountId,
        CausedBy = command.Message.CausedBy,
        JobId = command.Message.JobId,
        Revision = revision,
        Category = "validation",
        Code = "provider_rejected_input",
        Retryable = false,
    };

    private async Task<(HttpClient Client, System.Text.Json.JsonElement Identity, ConsumeContext<TrainIdentity> Command)> CreateAsync()
    {
        fixture.SealWith(3);
        var client = fixture.Registry.ClientOf(_account);
        var identity = await client.CreatedAsync(new { name = "Dad", photo_set_id = Guid.CreateVersion7() });
        ConsumeContext<TrainIdentity>? command = null;
        await RegistryFixture.WaitAsync(
            () => Task.FromResult((command = _commands.Of(identity.VersionId())) is not null), () => "no command has arrived");
        return (client, identity, command!);
    }

    private sealed class Commands : IConsumer<TrainIdentity>
    {
        private readonly System.Collections.Concurrent.ConcurrentQueue<ConsumeContext<TrainIdentity>> _received = [];

        public Task Consume(ConsumeContext<TrainIdentity> context)
        {
            _received.Enqueue(context);
            return Task.CompletedTask;
        }

        public ConsumeContext<TrainIdentity>? Of(Guid jobId) => _received.FirstOrDefault(command => command.Message.JobId == jobId);
    }
}
