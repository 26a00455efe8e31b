using Flurrty.Contracts.Training;
using Flurrty.Messaging;
using Flurrty.RegistryService.Persistence;
using MassTransit;

namespace Flurrty.RegistryService.Versions;

/// <summary>The queue that all events about trainings arrive in.</summary>
/// <typeparam name="TConsumer">The consumer.</typeparam>
internal abstract class TrainingEventsDefinition<TConsumer> : ConsumerDefinition<TConsumer>
    where TConsumer : class, IConsumer
{
    private const int AtOnce = 8;

    protected TrainingEventsDefinition()
    {
        EndpointName = "registry-training-events";
        ConcurrentMessageLimit = AtOnce;
    }
}

/// <summary>The training moved or made progress.</summary>
internal sealed class TrainingAdvancedConsumer(RegistryDbContext db, VersionProgress progress) : AccountConsumer<TrainingAdvanced, RegistryDbContext>(db)
{
    protected override Guid AccountOf(TrainingAdvanced message) => message.AccountId;

    protected override Task HandleAsync(TrainingAdvanced message, CancellationToken cancellationToken) => progress.TakeAsync(
        Db,
        new TrainingReport(message.JobId, message.Revision, VersionStatus.Training)
        {
            Stage = message.Stage,
            Progress = message.Progress,
            Provider = message.Provider,
            EstimatedCompletion = message.EstimatedCompletion,
            WaitingReason = message.WaitingReason,
            WaitingUntil = message.WaitingUntil,
        },
        cancellationToken);

    internal sealed class Definition : TrainingEventsDefinition<TrainingAdvancedConsumer>;
}

/// <summary>There is a model.</summary>
internal sealed class TrainingSucceededConsumer(RegistryDbContext db, VersionProgress progress) : AccountConsumer<TrainingSucceeded, RegistryDbContext>(db)
{
    protected override Guid AccountOf(TrainingSucceeded message) => message.AccountId;

    protected override Task HandleAsync(TrainingSucceeded message, CancellationToken cancellationToken) => progress.TakeAsync(
        Db,
        new TrainingReport(message.JobId, message.Revision, VersionStatus.Ready)
        {
            Stage = "succeeded",
            Provider = message.Provider,
            Model = new TrainedModel(message.ModelBytes, message.ModelSha256, message.TrainedAt),
        },
        cancellationToken);

    internal sealed class Definition : TrainingEventsDefinition<TrainingSucceededConsumer>;
}

/// <summary>There will be no model.</summary>
internal sealed class TrainingFailedConsumer(RegistryDbContext db, VersionProgress progress) : AccountConsumer<TrainingFailed, RegistryDbContext>(db)
{
    protected override Guid AccountOf(TrainingFailed message) => message.AccountId;

    protected override Task HandleAsync(TrainingFailed message, CancellationToken cancellationToken) => progress.TakeAsync(
        Db,
        new TrainingReport(message.JobId, message.Revision, VersionStatus.Failed)
        {
            Stage = "failed",
            Failure = new TrainingFailure(message.Category, message.Code, message.Retryable),
        },
        cancellationToken);

    internal sealed class Definition : TrainingEventsDefinition<TrainingFailedConsumer>;
}

/// <summary>The training was called off.</summary>
internal sealed class TrainingCanceledConsumer(RegistryDbContext db, VersionProgress progress) : AccountConsumer<TrainingCanceled, RegistryDbContext>(db)
{
    protected override Guid AccountOf(TrainingCanceled message) => message.AccountId;

    protected override Task HandleAsync(TrainingCanceled message, CancellationToken cancellationToken) =>
        progress.TakeAsync(Db, new TrainingReport(message.JobId, message.Revision, VersionStatus.Canceled) { Stage = "canceled" }, cancellationToken);

    internal sealed class Definition : TrainingEventsDefinition<TrainingCanceledConsumer>;
}
