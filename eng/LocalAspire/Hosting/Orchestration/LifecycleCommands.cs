using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Orchestration;

/// <summary>Start, stop and restart, which every process has.</summary>
internal static class LifecycleCommands
{
    internal static void AddTo(IResource resource)
    {
        Add(KnownResourceCommands.StartCommand, "Start", "Start resource", "Play", highlighted: true, StateOfStart, (o, id, ct) => o.StartAsync(id, ct));
        Add(KnownResourceCommands.StopCommand, "Stop", "Stop resource", "Stop", highlighted: true, StateOfStop, (o, id, ct) => o.StopAsync(id, ct));
        Add(KnownResourceCommands.RestartCommand, "Restart", "Restart resource", "ArrowCounterclockwise", highlighted: false, StateOfRestart, (o, id, ct) => o.RestartAsync(id, ct));

        void Add(
            string name,
            string displayName,
            string description,
            string icon,
            bool highlighted,
            Func<string?, ResourceCommandState> state,
            Func<ApplicationOrchestrator, string, CancellationToken, Task> execute)
        {
            if (resource.Annotations.OfType<ResourceCommandAnnotation>().Any(c => c.Name == name))
            {
                return;
            }

            resource.Annotations.Add(new ResourceCommandAnnotation(
                name,
                displayName,
                async context =>
                {
                    await execute(context.ServiceProvider.GetRequiredService<ApplicationOrchestrator>(), context.ResourceName, context.CancellationToken);
                    return CommandResults.Success();
                },
                new CommandOptions
                {
                    Description = description,
                    IconName = icon,
                    IconVariant = highlighted ? IconVariant.Filled : IconVariant.Regular,
                    IsHighlighted = highlighted,
                    UpdateState = context => state(context.ResourceSnapshot.State?.Text),
                }));
        }
    }

    private static ResourceCommandState StateOfStart(string? state)
    {
        if (IsStopped(state) || state == KnownResourceStates.Waiting)
        {
            return ResourceCommandState.Enabled;
        }

        return IsBusy(state) ? ResourceCommandState.Disabled : ResourceCommandState.Hidden;
    }

    private static ResourceCommandState StateOfStop(string? state)
    {
        if (state == KnownResourceStates.Stopping)
        {
            return ResourceCommandState.Disabled;
        }

        return IsStopped(state) || IsBusy(state) || state == KnownResourceStates.Waiting ? ResourceCommandState.Hidden : ResourceCommandState.Enabled;
    }

    private static ResourceCommandState StateOfRestart(string? state) =>
        IsStopped(state) || IsBusy(state) || state == KnownResourceStates.Waiting || state == KnownResourceStates.Stopping
            ? ResourceCommandState.Disabled
            : ResourceCommandState.Enabled;

    private static bool IsStopped(string? state) =>
        state is not null && (KnownResourceStates.TerminalStates.Contains(state) || state == KnownResourceStates.NotStarted || state == "Unknown");

    private static bool IsBusy(string? state) =>
        string.IsNullOrEmpty(state) || state == KnownResourceStates.Starting || state == KnownResourceStates.Building || state == KnownResourceStates.RuntimeUnhealthy;
}
