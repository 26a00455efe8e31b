using System.Collections.Immutable;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dcp;

namespace Aspire.Hosting.Orchestration;

/// <summary>Turns what the orchestrator says of a process into what is known about its resource.</summary>
internal static class ProcessSnapshots
{
    internal static CustomResourceSnapshot Update(CustomResourceSnapshot before, ResourceInstance instance, DcpExecutable executable)
    {
        var status = executable.Status;
        var state = StateOf(executable);
        var launch = instance.Launch;
        var after = before with
        {
            State = state,
            ExitCode = status?.ExitCode,
            CreationTimeStamp = executable.Metadata.CreationTimestamp?.ToUniversalTime(),
            StartTimeStamp = status?.StartupTimestamp?.ToUniversalTime(),
            StopTimeStamp = status?.FinishTimestamp?.ToUniversalTime(),
            Urls = ResourceUrls.WithActivity(before.Urls, state),
            EnvironmentVariables = Environment(status, launch),
        };
        after = after
            .WithProperty(KnownProperties.ExecutablePath, executable.Spec.ExecutablePath)
            .WithProperty(KnownProperties.ExecutableWorkDir, executable.Spec.WorkingDirectory)
            .WithProperty(KnownProperties.ExecutableArgs, (status?.EffectiveArgs ?? []).ToArray(), isSensitive: true)
            .WithProperty(KnownProperties.ExecutablePid, status?.Pid);
        if (instance.Resource.TryGetLastAnnotation<IProjectMetadata>(out var project))
        {
            after = after.WithProperty(KnownProperties.ProjectPath, project.ProjectPath);
        }

        if (launch is not null)
        {
            // The orchestrator filled in the ports; what the AppHost gave stands behind what only starts the program.
            string[] shown = [.. (status?.EffectiveArgs ?? launch.Arguments.Select(a => a.Text)).Skip(status?.EffectiveArgs is null ? 0 : launch.LaunchArguments.Count)];
            var secret = launch.Arguments.Any(a => a.IsSecret);
            after = after
                .WithProperty(KnownProperties.AppArgs, shown, secret)
                .WithProperty(KnownProperties.AppArgsSensitivity, launch.Arguments.Select(a => a.IsSecret ? 1 : 0).ToArray(), secret);
        }

        return after;
    }

    internal static string StateOf(DcpExecutable executable) => executable.Status?.State switch
    {
        null or "" or DcpStates.Starting => KnownResourceStates.Starting,
        DcpStates.Running when executable.Metadata.DeletionTimestamp is not null => KnownResourceStates.Stopping,
        DcpStates.Running => KnownResourceStates.Running,
        DcpStates.Stopping => KnownResourceStates.Stopping,
        DcpStates.Finished => KnownResourceStates.Finished,
        DcpStates.FailedToStart => KnownResourceStates.FailedToStart,
        _ => KnownResourceStates.Exited,
    };

    private static ImmutableArray<EnvironmentVariableSnapshot> Environment(DcpExecutableStatus? status, LaunchSettings? launch)
    {
        var given = launch?.Environment ?? new Dictionary<string, ResolvedValue>(StringComparer.Ordinal);
        var effective = status?.EffectiveEnv?.Select(v => (v.Name, v.Value)) ?? given.Select(v => (Name: v.Key, Value: v.Value.Text));
        return
        [
            .. effective
                .OrderBy(v => v.Name, StringComparer.Ordinal)
                .Select(v => new EnvironmentVariableSnapshot(v.Name, v.Value, given.ContainsKey(v.Name)) { IsSensitive = given.TryGetValue(v.Name, out var g) && g.IsSecret }),
        ];
    }
}
