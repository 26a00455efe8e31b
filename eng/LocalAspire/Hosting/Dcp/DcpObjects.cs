using System.Text.Json.Serialization;

namespace Aspire.Hosting.Dcp;

// The orchestrator's objects, as far as they are used: the names are its protocol.

internal sealed record DcpMetadata
{
    public required string Name { get; init; }

    public string? Uid { get; init; }

    public string? ResourceVersion { get; init; }

    public DateTime? CreationTimestamp { get; init; }

    public DateTime? DeletionTimestamp { get; init; }

    public Dictionary<string, string>? Annotations { get; init; }
}

internal sealed record DcpVariable(string Name, string Value);

internal sealed record DcpAmbientEnvironment(string Behavior);

internal sealed record DcpExecutableSpec
{
    public required string ExecutablePath { get; init; }

    public string? WorkingDirectory { get; init; }

    public IReadOnlyList<string>? Args { get; init; }

    public IReadOnlyList<DcpVariable>? Env { get; init; }

    public string ExecutionType { get; init; } = "Process";

    public DcpAmbientEnvironment? AmbientEnvironment { get; init; }
}

internal sealed record DcpExecutableStatus
{
    public string? State { get; init; }

    public int? Pid { get; init; }

    public int? ExitCode { get; init; }

    public DateTime? StartupTimestamp { get; init; }

    public DateTime? FinishTimestamp { get; init; }

    public IReadOnlyList<DcpVariable>? EffectiveEnv { get; init; }

    public IReadOnlyList<string>? EffectiveArgs { get; init; }
}

internal sealed record DcpExecutable
{
    public string ApiVersion { get; init; } = DcpClient.ApiVersion;

    public string Kind { get; init; } = "Executable";

    public required DcpMetadata Metadata { get; init; }

    public required DcpExecutableSpec Spec { get; init; }

    public DcpExecutableStatus? Status { get; init; }
}

internal sealed record DcpServiceSpec
{
    public string Protocol { get; init; } = "TCP";

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Port { get; init; }

    public string AddressAllocationMode { get; init; } = "Localhost";
}

internal sealed record DcpServiceStatus
{
    public string? State { get; init; }

    public string? EffectiveAddress { get; init; }

    public int? EffectivePort { get; init; }
}

internal sealed record DcpService
{
    public string ApiVersion { get; init; } = DcpClient.ApiVersion;

    public string Kind { get; init; } = "Service";

    public required DcpMetadata Metadata { get; init; }

    public required DcpServiceSpec Spec { get; init; }

    public DcpServiceStatus? Status { get; init; }
}

internal sealed record DcpWatchEvent
{
    public required string Type { get; init; }

    public required DcpExecutable Object { get; init; }
}

/// <summary>One port that a process serves for a service, as the orchestrator reads it from an annotation.</summary>
internal sealed record DcpServiceProducer
{
    internal const string Annotation = "service-producer";

    public required string ServiceName { get; init; }

    public string? Address { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Port { get; init; }
}

internal static class DcpStates
{
    internal const string Starting = "Starting";
    internal const string Running = "Running";
    internal const string Stopping = "Stopping";
    internal const string Finished = "Finished";
    internal const string FailedToStart = "FailedToStart";
    internal const string Unknown = "Unknown";

    internal static bool IsEnd(string? state) => state is Finished or FailedToStart or Unknown or "Terminated";
}
