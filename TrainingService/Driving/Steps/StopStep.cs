using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Providers;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Driving.Steps;

/// <summary>Asks the provider for the end of a run that is canceled or takes too long, then reads what became of it as for any run.</summary>
internal sealed class StopStep(
    FollowStep follow, ProviderCatalog providers, JobStore store, JobEndings endings, StepFailures failures, IOptions<DrivingOptions> options) : IStep
{
    private readonly DrivingOptions _options = options.Value;

    public bool IsDue(StepContext context) =>
        context.Job.CancelRequested || context.Attempt.StopReason is not null || context.IsOverdue(PhaseTimeout(context.Job));

    public async Task<StepResult> RunAsync(StepContext context)
    {
        var job = context.Job;
        var attempt = context.Attempt;
        var timeout = PhaseTimeout(job);
        if (job.WaitingReason is null && attempt.StopAskedAt is { } stoppedAt && context.Now - stoppedAt > _options.StopTimeout)
        {
            return await endings.FailAsync(context, Failure.Timeout(job.State.ToText()));
        }

        if (context.IsOverdue(timeout + _options.StopTimeout))
        {
            // Neither the run nor its end can be read. The attempt stays open, so that a retry reads on instead of buying again.
            return await endings.FailAsync(context, Failure.Timeout(job.State.ToText()));
        }

        try
        {
            await providers[attempt.Provider].CancelAsync(attempt.RunId!, context.Lost);
        }
        catch (ProviderException problem)
        {
            return await failures.KeepTryingAsync(context, problem);
        }

        await store.ChangeAsync(context, change =>
        {
            change.Attempt.StopReason ??= context.IsOverdue(timeout) ? $"The phase {job.State.ToText()} took too long." : null;
            change.Attempt.StopAskedAt ??= change.Now;
        });
        return await follow.RunAsync(context);
    }

    private TimeSpan PhaseTimeout(Job job) => job.State == JobState.Queued ? _options.QueueTimeout : _options.RunTimeout;
}
