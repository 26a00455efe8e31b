using System.Collections.Immutable;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>All that is known about a resource at one moment.</summary>
public sealed record CustomResourceSnapshot
{
    /// <summary>The kind of resource, for example <c>Project</c>.</summary>
    public required string ResourceType { get; init; }

    /// <summary>Further facts by name.</summary>
    public required ImmutableArray<ResourcePropertySnapshot> Properties { get; init; }

    /// <summary>When it was created.</summary>
    public DateTime? CreationTimeStamp { get; init; }

    /// <summary>When it started.</summary>
    public DateTime? StartTimeStamp { get; init; }

    /// <summary>When it ended.</summary>
    public DateTime? StopTimeStamp { get; init; }

    /// <summary>Its state: one of <see cref="KnownResourceStates"/>, or any other text.</summary>
    public ResourceStateSnapshot? State { get; init; }

    /// <summary>The exit code of its process.</summary>
    public int? ExitCode { get; init; }

    /// <summary>Whether it works: known only while it runs.</summary>
    public HealthStatus? HealthStatus
    {
        get
        {
            if (State?.Text != KnownResourceStates.Running)
            {
                return null;
            }

            // A check that has not answered yet counts as bad news.
            return HealthReports.IsEmpty
                ? Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus.Healthy
                : HealthReports.Min(r => r.Status ?? Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus.Unhealthy);
        }
    }

    /// <summary>What each of its checks said.</summary>
    public ImmutableArray<HealthReportSnapshot> HealthReports { get; internal init; } = [];

    /// <summary>The variables of its process.</summary>
    public ImmutableArray<EnvironmentVariableSnapshot> EnvironmentVariables { get; init; } = [];

    /// <summary>Its links.</summary>
    public ImmutableArray<UrlSnapshot> Urls { get; init; } = [];

    /// <summary>What can be done to it.</summary>
    public ImmutableArray<ResourceCommandSnapshot> Commands { get; init; } = [];

    /// <summary>Its relations to others.</summary>
    public ImmutableArray<RelationshipSnapshot> Relationships { get; init; } = [];

    /// <summary>Whether the dashboard leaves it out.</summary>
    public bool IsHidden { get; init; }

    /// <summary>The name of its icon.</summary>
    public string? IconName { get; init; }

    /// <summary>The look of its icon.</summary>
    public IconVariant? IconVariant { get; init; }

    /// <summary>The outcome of the handlers that run once it is healthy; null until they ran.</summary>
    internal Task? ReadyHandlers { get; init; }

    internal CustomResourceSnapshot WithProperty(string name, object? value, bool isSensitive = false)
    {
        var property = new ResourcePropertySnapshot(name, value) { IsSensitive = isSensitive };
        var index = -1;
        for (var i = 0; i < Properties.Length; i++)
        {
            if (Properties[i].Name == name)
            {
                index = i;
            }
        }

        return this with { Properties = index < 0 ? Properties.Add(property) : Properties.SetItem(index, property) };
    }

    internal CustomResourceSnapshot WithoutProperty(string name) => this with { Properties = Properties.RemoveAll(p => p.Name == name) };
}

/// <summary>A state and how it is shown.</summary>
/// <param name="Text">The state.</param>
/// <param name="Style">One of <see cref="KnownResourceStateStyles"/>.</param>
public sealed record ResourceStateSnapshot(string Text, string? Style)
{
    /// <summary>Makes a state of its text.</summary>
    public static implicit operator ResourceStateSnapshot?(string? text) => text is null ? null : new(text, null);
}

/// <summary>A variable of a process.</summary>
/// <param name="Name">The name.</param>
/// <param name="Value">The value.</param>
/// <param name="IsFromSpec">Whether the AppHost set it.</param>
public sealed record EnvironmentVariableSnapshot(string Name, string? Value, bool IsFromSpec)
{
    /// <summary>Whether the value holds a secret.</summary>
    internal bool IsSensitive { get; init; }
}

/// <summary>A link.</summary>
/// <param name="Name">The endpoint that it leads to.</param>
/// <param name="Url">The address.</param>
/// <param name="IsInternal">Whether only the details show it.</param>
public sealed record UrlSnapshot(string? Name, string Url, bool IsInternal)
{
    /// <summary>How it is shown.</summary>
    public UrlDisplayPropertiesSnapshot DisplayProperties { get; init; } = new();

    /// <summary>Whether nothing answers there now.</summary>
    public bool IsInactive { get; init; }
}

/// <summary>How a link is shown.</summary>
/// <param name="DisplayName">The text.</param>
/// <param name="SortOrder">The place among the others.</param>
public sealed record UrlDisplayPropertiesSnapshot(string DisplayName = "", int SortOrder = 0);

/// <summary>A relation.</summary>
/// <param name="ResourceName">The other resource.</param>
/// <param name="Type">The kind of relation.</param>
public sealed record RelationshipSnapshot(string ResourceName, string Type);

/// <summary>A fact about a resource.</summary>
/// <param name="Name">The name.</param>
/// <param name="Value">The value.</param>
public sealed record ResourcePropertySnapshot(string Name, object? Value)
{
    /// <summary>Whether the value is hidden until somebody asks for it.</summary>
    public bool IsSensitive { get; init; }
}

/// <summary>What a health check said.</summary>
/// <param name="Name">The name of the check.</param>
/// <param name="Status">The answer; null until there is one.</param>
/// <param name="Description">The reason.</param>
/// <param name="ExceptionText">The failure.</param>
public sealed record HealthReportSnapshot(string Name, HealthStatus? Status, string? Description, string? ExceptionText)
{
    /// <summary>When it was asked.</summary>
    public DateTime? LastRunAt { get; init; }
}

/// <summary>Something that can be done to a resource, and whether now.</summary>
/// <param name="Name">The name.</param>
/// <param name="State">Whether it can be done now.</param>
/// <param name="DisplayName">The text of the button.</param>
/// <param name="DisplayDescription">The text below it.</param>
/// <param name="Parameter">Not used here.</param>
/// <param name="ConfirmationMessage">The question asked before.</param>
/// <param name="IconName">The icon.</param>
/// <param name="IconVariant">The look of the icon.</param>
/// <param name="IsHighlighted">Whether it is shown outside of the menu.</param>
public sealed record ResourceCommandSnapshot(
    string Name,
    ResourceCommandState State,
    string DisplayName,
    string? DisplayDescription,
    object? Parameter,
    string? ConfirmationMessage,
    string? IconName,
    IconVariant? IconVariant,
    bool IsHighlighted);

/// <summary>Whether a command can be used.</summary>
public enum ResourceCommandState
{
    /// <summary>It can.</summary>
    Enabled,

    /// <summary>It is shown, but cannot.</summary>
    Disabled,

    /// <summary>It is not shown.</summary>
    Hidden,
}

/// <summary>How a state is shown.</summary>
public static class KnownResourceStateStyles
{
    /// <summary>All is well.</summary>
    public static readonly string Success = "success";

    /// <summary>It failed.</summary>
    public static readonly string Error = "error";

    /// <summary>Just so you know.</summary>
    public static readonly string Info = "info";

    /// <summary>It may be a problem.</summary>
    public static readonly string Warn = "warning";
}

/// <summary>The states of resources.</summary>
public static class KnownResourceStates
{
    /// <summary>It is about to run.</summary>
    public static readonly string Starting = nameof(Starting);

    /// <summary>It runs.</summary>
    public static readonly string Running = nameof(Running);

    /// <summary>It could not be started.</summary>
    public static readonly string FailedToStart = nameof(FailedToStart);

    /// <summary>What it needs to run is broken.</summary>
    public static readonly string RuntimeUnhealthy = nameof(RuntimeUnhealthy);

    /// <summary>It is about to end.</summary>
    public static readonly string Stopping = nameof(Stopping);

    /// <summary>It ended.</summary>
    public static readonly string Exited = nameof(Exited);

    /// <summary>It ended by itself.</summary>
    public static readonly string Finished = nameof(Finished);

    /// <summary>It waits for others.</summary>
    public static readonly string Waiting = nameof(Waiting);

    /// <summary>Nobody started it.</summary>
    public static readonly string NotStarted = nameof(NotStarted);

    /// <summary>It is being built.</summary>
    public static readonly string Building = nameof(Building);

    /// <summary>It is in use without running.</summary>
    public static readonly string Active = nameof(Active);

    /// <summary>The states that nothing follows by itself.</summary>
    public static readonly IReadOnlyList<string> TerminalStates = [Finished, FailedToStart, Exited];
}

internal static class KnownProperties
{
    internal const string ConnectionString = "resource.connectionString";
    internal const string WaitingFor = "resource.waitingFor";
    internal const string AppArgs = "resource.appArgs";
    internal const string AppArgsSensitivity = "resource.appArgsSensitivity";
    internal const string ParameterValue = "Value";
    internal const string ExecutablePath = "executable.path";
    internal const string ExecutablePid = "executable.pid";
    internal const string ExecutableWorkDir = "executable.workDir";
    internal const string ExecutableArgs = "executable.args";
    internal const string ProjectPath = "project.path";
}
