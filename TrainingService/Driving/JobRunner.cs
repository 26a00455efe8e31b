using System.Diagnostics;
using Flurrty.ServiceDefaults.Data;
using Flurrty.TrainingService.Driving.Steps;
using Flurrty.TrainingService.Jobs;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Flurrty.TrainingService.Driving;

/// <summary>
/// Moves one leased job as far as it can go now. Each step reads where the job stands, does one thing outside the database
/// and writes down what came of it; killed anywhere, the next reader finds what it needs to go on.
/// </summary>
internal sealed class JobRunner(JobStore store, StepTable steps, Backoff backoff, TimeProvider time, ILogger<JobRunner> logger)
{
    /// <summary>Unexpected errors in a row after which a job is given up rather than tried forever.</summary>
    private const int MaxFaults = 20;

    private static readonly ActivitySource Source = new("Flurrty.TrainingService");

    /// <summary>Works on the job until it has to wait, then gives it back.</summary>
    public async Task RunAsync(LeasedJob lease, JobView view, Action<bool> posting)
    {
        using var activity = ActivityContext.TryParse(view.Job.TraceParent, traceState: null, isRemote: true, out var parent)
            ? Source.StartActivity($"job {view.Job.State.ToText()}", ActivityKind.Internal, parent)
            : null;
        activity?.SetTag("flurrty.job_id", lease.Id);
        using var scope = logger.BeginScope(new KeyValuePair<string, object>[] { new("JobId", lease.Id) });
        StepResult result;
        var wakesSeen = view.Job.Wakes;
        try
        {
            while (true)
            {
                wakesSeen = view.Job.Wakes;
                result = view.Job.State.IsTerminal() ? StepResult.End : await StepAsync(new StepContext(lease, view, posting));
                if (!result.IsNext)
                {
                    break;
                }

                view = await store.ReadAsync(lease, lease.Lost);
            }
        }
        catch (LeaseLostException)
        {
            JobLog.Fenced(logger, lease.Id);
            return;
        }
        catch (OperationCanceledException) when (lease.Lost.IsCancellationRequested)
        {
            result = StepResult.Next;
        }
        catch (Exception exception) when (exception is NpgsqlException or DbUpdateException or TimeoutException || exception.IsTransientDatabaseFailure())
        {
            JobLog.DatabaseAway(logger, lease.Id, exception.Message);
            result = StepResult.After(backoff.After(view.Job.Failures.InARow));
        }
        catch (Exception exception)
        {
            JobLog.StepFailed(logger, lease.Id, view.Job.State.ToText(), exception);
            activity?.SetStatus(ActivityStatusCode.Error, exception.GetType().Name);
            result = await NoteFaultAsync(lease, exception);
        }

        // Giving the job back matters more than who asked to stop.
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(3), time);
        await store.ReleaseAsync(lease, result.IsEnd ? null : result.Delay, wakesSeen, limit.Token);
    }

    private Task<StepResult> StepAsync(StepContext context) => steps.For(context).RunAsync(context);

    private async Task<StepResult> NoteFaultAsync(LeasedJob lease, Exception exception)
    {
        try
        {
            var view = await store.ChangeAsync(
                lease,
                change =>
                {
                    change.NoteFailure(ErrorCategory.ServiceError, $"Internal error: {exception.GetType().Name}.", FailureKind.Fault);
                    if (change.Job.Failures.Fault >= MaxFaults && !change.Job.State.IsTerminal())
                    {
                        change.EndUnsentAttempt();
                        change.Fail(new Failure(
                            ErrorCategory.ServiceError, FailureCodes.TrainingFailed, Retryable: true, "An internal error came again and again."));
                    }
                },
                lease.Lost);
            return view.Job.State.IsTerminal() ? StepResult.End : StepResult.After(backoff.After(view.Job.Failures.InARow));
        }
        catch (LeaseLostException)
        {
            return StepResult.Next;
        }
        catch (Exception)
        {
            return StepResult.After(backoff.Max);
        }
    }
}
