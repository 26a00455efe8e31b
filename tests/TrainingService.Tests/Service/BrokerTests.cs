using System.Collections.Concurrent;
using Flurrty.Contracts.Training;
using Flurrty.Contracts.Uploads;
using Flurrty.NativeInfrastructure;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Flurrty.TrainingService.Tests.Service;

/// <summary>Over a real broker: the command comes in, the dataset is asked for and answered, and every step is told.</summary>
[Collection(ServiceTests.Name)]
public sealed class BrokerTests(TrainingFixture fixture)
{
    [Fact]
    public async Task Training_CommandedOverTheBroker_IsToldStepByStep()
    {
        await fixture.StopSharedAsync();
        await using var rabbit = await NativeRabbitMq.StartAsync("training", "others");
        var told = new Told(Guid.CreateVersion7());
        using var others = await StartOthersAsync(rabbit.For("others"), told);
        await using var service = await fixture.StartServiceAsync(("ConnectionStrings:messaging", rabbit.For("training")), ("Driving:AskDatasetEvery", "00:05:00"));
        fixture.Surroundings.WebhookTarget = service.Address;
        var command = new TrainIdentity
        {
            AccountId = Guid.CreateVersion7(),
            CausedBy = Guid.NewGuid(),
            JobId = told.JobId,
            Revision = 1,
            IdentityId = Guid.CreateVersion7(),
            Provider = "replicate",
            Preset = "economy",
            Steps = 50,
            Rank = 16,
            Resolution = "512",
        };

        var endpoint = await others.Services.GetRequiredService<IBus>().GetSendEndpoint(new Uri("queue:train-identity"));
        await endpoint.Send(command);
        await Deadline.WaitAsync(
            "the training has ended",
            Deadline.Journey,
            () => Task.FromResult((Messages: told.Messages.ToArray(), Seen: $"{string.Join(", ", told.Messages)}\n{service.Output}")),
            static state => state.Messages.Any(static message => message is TrainingSucceeded or TrainingFailed));

        var succeeded = Assert.Single(told.Messages.OfType<TrainingSucceeded>());
        Assert.Equal(command.JobId, succeeded.JobId);
        Assert.Equal(command.AccountId, succeeded.AccountId);
        Assert.Equal(command.CausedBy, succeeded.CausedBy);
        Assert.Single(told.Messages.OfType<BuildDataset>());
        var advanced = told.Messages.OfType<TrainingAdvanced>().OrderBy(static message => message.Revision).ToArray();
        Assert.Equal(advanced.Length, advanced.Select(static message => message.Revision).Distinct().Count());
        Assert.True(advanced.Zip(advanced.Skip(1)).All(static pair => pair.First.Progress <= pair.Second.Progress));
        Assert.True(advanced[^1].Revision < succeeded.Revision);
        Assert.Equal("accepted", advanced[0].Stage);
        Assert.Equal("publishing", advanced[^1].Stage);
        Assert.Equal(95, advanced[^1].Progress);
    }

    private static async Task<IHost> StartOthersAsync(string connection, Told told)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(told);
        builder.Services.AddMassTransit(bus =>
        {
            bus.DisableUsageTelemetry();
            bus.AddConsumer<Others>();
            bus.UsingRabbitMq((context, rabbit) =>
            {
                rabbit.Host(new Uri(connection));
                rabbit.ReceiveEndpoint("build-dataset", endpoint => endpoint.ConfigureConsumer<Others>(context));
            });
        });
        var host = builder.Build();
        await host.StartAsync();
        return host;
    }

    /// <summary>What was told of one job; the outbox holds the messages of earlier tests too.</summary>
    private sealed class Told(Guid jobId)
    {
        public Guid JobId => jobId;

        public ConcurrentQueue<object> Messages { get; } = new();
    }

    /// <summary>UploadService and RegistryService, as far as this needs them.</summary>
    private sealed class Others(Told told)
        : IConsumer<BuildDataset>, IConsumer<TrainingAdvanced>, IConsumer<TrainingSucceeded>, IConsumer<TrainingFailed>
    {
        public Task Consume(ConsumeContext<BuildDataset> context)
        {
            _ = Note(context.Message.JobId, context.Message);
            return context.Publish(new DatasetBuilt
            {
                AccountId = context.Message.AccountId,
                CausedBy = context.Message.CausedBy,
                JobId = context.Message.JobId,
                Revision = 1,
                Photos = 3,
                Bytes = 1,
                Sha256 = "",
            });
        }

        public Task Consume(ConsumeContext<TrainingAdvanced> context) => Note(context.Message.JobId, context.Message);

        public Task Consume(ConsumeContext<TrainingSucceeded> context) => Note(context.Message.JobId, context.Message);

        public Task Consume(ConsumeContext<TrainingFailed> context) => Note(context.Message.JobId, context.Message);

        private Task Note(Guid jobId, object message)
        {
            if (jobId == told.JobId)
            {
                told.Messages.Enqueue(message);
            }

            return Task.CompletedTask;
        }
    }
}
