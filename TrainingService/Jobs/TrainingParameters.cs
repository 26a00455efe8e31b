namespace Flurrty.TrainingService.Jobs;

/// <summary>What is to be trained, in the product's words.</summary>
internal sealed record TrainingParameters
{
    public string? Trainer { get; init; }

    public required int Steps { get; init; }

    public required int Rank { get; init; }

    public double? LearningRate { get; init; }

    public required string Resolution { get; init; }

    public required string TriggerWord { get; init; }
}
