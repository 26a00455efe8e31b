namespace Flurrty.Messaging;

/// <summary>The queues that consumers take from, and where MassTransit puts what they could not take. The broker tells their names only through its management plugin.</summary>
public static class Queues
{
    /// <summary>
    /// Every queue with a consumer: commands by their own name, events behind the name of the service, and for each service what left its outbox
    /// because it could not be sent.
    /// </summary>
    public static readonly IReadOnlyList<string> Consumed =
    [
        "build-dataset",
        "release-dataset",
        "train-identity",
        "cancel-training",
        "retry-training",
        "training-dataset-built",
        "training-dataset-refused",
        "registry-training-events",
        "uploads-undelivered-message",
        "training-undelivered-message",
        "registry-undelivered-message",
    ];

    /// <summary>Where the messages of a queue lie that a consumer failed at to the end.</summary>
    /// <param name="queue">The queue.</param>
    public static string ErrorsOf(string queue) => $"{queue}_error";

    /// <summary>Where the messages of a queue lie that no consumer takes.</summary>
    /// <param name="queue">The queue.</param>
    public static string SkippedOf(string queue) => $"{queue}_skipped";
}
