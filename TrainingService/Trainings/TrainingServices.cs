using Flurrty.Messaging;
using Flurrty.TrainingService.Persistence;
using MassTransit;

namespace Flurrty.TrainingService.Trainings;

internal static class TrainingServices
{
    /// <summary>Adds the messages that open, stop and wake jobs.</summary>
    public static void AddTrainings(this IHostApplicationBuilder builder) =>
        builder.AddFlurrtyMessaging<TrainingContext>(TrainingContext.DatabaseName, static bus =>
        {
            bus.AddConsumer<TrainIdentityConsumer, TrainIdentityConsumerDefinition>();
            bus.AddConsumer<CancelTrainingConsumer, CancelTrainingConsumerDefinition>();
            bus.AddConsumer<RetryTrainingConsumer, RetryTrainingConsumerDefinition>();
            bus.AddConsumer<DatasetBuiltConsumer>();
            bus.AddConsumer<DatasetRefusedConsumer>();
        });
}
