using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Providers;

namespace Flurrty.TrainingService.Driving;

/// <content>Waiting for what only somebody at the provider can mend. A run that is there goes on meanwhile, and is not given up.</content>
internal sealed partial class JobRunner
{
    /// <summary>Waits for accepted credentials or for money, and tells of it once. After the deadline the job fails; a run it may have stays its attempt's.</summary>
    private async Task<Rest> WaitForAccessAsync(Turn turn, ProviderException problem, Action<JobChange>? also = null)
    {
        var reason = problem.Category == ErrorCategory.Payment ? WaitingReason.PaymentRequired : WaitingReason.CredentialsRefused;
        if (turn.Job.WaitingUntil is { } until && turn.Now >= until)
        {
            return await FailAsync(turn, Failure.AccessRefused(problem.Category, problem.Message, turn.View.Attempt?.RunId is not null), change =>
            {
                also?.Invoke(change);
                change.NoteFailure(problem);
                change.EndUnsentAttempt();
            });
        }

        var view = await ChangeAsync(turn, change =>
        {
            also?.Invoke(change);
            change.NoteFailure(problem);
            change.WaitFor(reason, _options.AccessDeadline);
        });
        if (turn.Job.WaitingReason != reason)
        {
            Log.Waiting(logger, turn.Job.Id, view.Job.Provider!, reason.ToText(), view.Job.WaitingUntil!.Value, problem.Message);
        }

        var pause = problem.RetryAfter > _options.AccessPause ? problem.RetryAfter.Value : _options.AccessPause;
        return Rest.For(pause * (0.9 + (Random.Shared.NextDouble() * 0.2)));
    }

    /// <summary>Whether a phase took longer than it may. Time spent waiting for somebody does not count.</summary>
    private static bool IsOverdue(Turn turn, TimeSpan limit) => turn.Job.WaitingReason is null && turn.Now - turn.Job.StateSince > limit;
}
