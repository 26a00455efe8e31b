using System.ComponentModel;

namespace Flurrty.RegistryService.DeadLetters;

/// <summary>What is told of a dead letter. Its body, and what its exception said, may hold anything and are not read further than this.</summary>
internal sealed record DeadLetter
{
    [Description("The queue that it lies in.")]
    public required string Queue { get; init; }

    [Description("Its id; without one it can neither be replayed nor dropped here.")]
    public Guid? MessageId { get; init; }

    [Description("The contract, such as Flurrty.Contracts.Training.TrainIdentity.")]
    public string? MessageType { get; init; }

    [Description("The type of the exception of the last try; none if no consumer takes such messages.")]
    public string? ExceptionType { get; init; }

    [Description("When the last try failed.")]
    public DateTimeOffset? FailedAt { get; init; }

    [Description("When it was sent.")]
    public DateTimeOffset? SentAt { get; init; }

    [Description("Seconds since it failed; since it was sent if that is not known.")]
    public long? AgeSeconds { get; init; }
}

/// <summary>How many letters a queue holds.</summary>
internal sealed record DeadLetterCount(string Queue, long Letters);

/// <summary>Dead letters.</summary>
internal sealed record DeadLetterList
{
    [Description("The oldest of each queue, as many as were asked for.")]
    public required IReadOnlyList<DeadLetter> Letters { get; init; }

    [Description("Every queue that holds some.")]
    public required IReadOnlyList<DeadLetterCount> Queues { get; init; }

    [Description("How many there are in all.")]
    public required long Total { get; init; }
}
