using System.Diagnostics;
using Flurrty.ServiceDefaults.Data;
using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Models;
using Flurrty.TrainingService.Providers;
using Flurrty.TrainingService.Publishing;
using Flurrty.TrainingService.Webhooks;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Flurrty.TrainingService.Driving;

/// <summary>
/// Moves one leased job as far as it can go now. Each step reads where the job stands, does one thing outside the database
/// and writes down what came of it; killed anywhere, the next reader finds what it needs to go on.
/// </summary>
internal sealed partial class JobRunner(
    JobStore store,
    ProviderCatalog providers,
    DatasetClient datasets,
    ModelFetch fetch,
    ModelStore models,
    WebhookAddress webhooks,
    PublicUrl publicUrl,
    AccessChecks access,
    TrainingMetrics metrics,
    IOptions<DrivingOptions> options,
    TimeProvider time,
    ILogger<JobRunner> logger) : IDisposable
{
    /// <summary>Unexpected errors in a row after which a job is given up rather than tried for ever.</summary>
    private const int MostFaults = 20;

    private static readonly TimeSpan OtherModePause = TimeSpan.FromMinutes(1);

    private static readonly ActivitySource Source = new("Flurrty.TrainingService");

    private readonly DrivingOptions _options = options.Value;
    private readonly SemaphoreSlim _looks = new(options.Value.Looks);
    private readonly SemaphoreSlim _collects = new(options.Value.Collects);

    /// <summary>Works on the job until it has to wait, then gives it back.</summary>
    public async Task RunAsync(LeasedJob lease, JobView view, Action<bool> posting)
    {
        using var activity = ActivityContext.TryParse(view.Job.TraceParent, traceState: null, isRemote: true, out var parent)
            ? Source.StartActivity($"job {view.Job.State.ToText()}", ActivityKind.Internal, parent)
            : null;
        activity?.SetTag("flurrty.job_id", lease.Id);
        using var scope = logger.BeginScope(new KeyValuePair<string, object>[] { new("JobId", lease.Id) });
        Rest? rest = null;
        var wakesSeen = view.Job.Wakes;
        try
        {
            while (true)
            {
                wakesSeen = view.Job.Wakes;
                rest = await StepAsync(new Turn(lease, view, posting));
                if (rest is { IsNone: false })
                {
                    break;
                }

                view = await store.ReadAsync(lease, lease.Lost);
            }
        }
        catch (LeaseLostException)
        {
            Log.Fenced(logger, lease.Id);
            return;
        }
        catch (OperationCanceledException) when (lease.Lost.IsCancellationRequested)
        {
            rest = Rest.For(TimeSpan.Zero);
        }
        catch (Exception exception) when (exception is NpgsqlException or DbUpdateException or TimeoutException || exception.IsTransientDatabaseFailure())
        {
            Log.DatabaseAway(logger, lease.Id, exception.Message);
            rest = Rest.For(Backoff(view.Job.Failures.InARow));
        }
        catch (Exception exception)
        {
            Log.StepFailed(logger, lease.Id, view.Job.State.ToText(), exception);
            activity?.SetStatus(ActivityStatusCode.Error, exception.GetType().Name);
            rest = await NoteFaultAsync(lease, exception);
        }

        // Giving the job back matters more than who asked to stop.
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(3), time);
        await store.ReleaseAsync(lease, rest.Value.IsEnded ? null : rest.Value.Delay, wakesSeen, limit.Token);
    }

    public void Dispose()
    {
        _looks.Dispose();
        _collects.Dispose();
    }

    private Task<Rest> StepAsync(Turn turn) =>
        ModeOf(turn.Job) is { } mode && mode != turn.Job.ProviderMode ? StayAsync(turn, mode) : StepOnAsync(turn);

    private Task<Rest> StepOnAsync(Turn turn) => turn.Job.State switch
    {
        JobState.Accepted => AcceptAsync(turn),
        JobState.Preparing => PrepareAsync(turn),
        JobState.Submitting or JobState.NeedsReview => SubmitAsync(turn),
        JobState.Queued or JobState.Training => FollowAsync(turn),
        JobState.Collecting => CollectAsync(turn),
        JobState.Publishing => PublishAsync(turn),
        JobState.Succeeded or JobState.Failed or JobState.Canceled => Task.FromResult(Rest.Ended),
    };

    /// <summary>The mode that the provider of a job has now; null where no provider has anything to do with it.</summary>
    private ProviderMode? ModeOf(Job job) =>
        job is not { ProviderMode: not null, Provider: { } provider } || job.State == JobState.Accepted || job.State.IsTerminal() ? null
        : providers.ModeOf(provider);

    /// <summary>A job of another mode: nothing of it is sent to the provider of this one. What may be running for money is followed when that mode is back.</summary>
    private async Task<Rest> StayAsync(Turn turn, ProviderMode mode)
    {
        if (turn.Job.ProviderMode == ProviderMode.Live)
        {
            if (turn.Job.CancelRequested && turn.View.Attempt is null)
            {
                return await CancelAsync(turn);
            }

            Log.OtherMode(logger, turn.Job.Id, turn.Job.Provider!, mode.ToText());
            return Rest.For(OtherModePause);
        }

        var failure = Failure.ModeChanged(mode.ToText());
        var view = await ChangeAsync(turn, change =>
        {
            change.EndUnsentAttempt();
            change.Fail(failure);
        });
        metrics.Ended(view.Job);
        Log.Failed(logger, turn.Job.Id, failure.Code, failure.Category.ToText(), failure.Detail);
        return Rest.Ended;
    }

    private async Task<Rest> AcceptAsync(Turn turn)
    {
        if (turn.Job.CancelRequested)
        {
            return await CancelAsync(turn);
        }

        if (providers.Find(turn.Job.RequestedProvider) is not { } provider)
        {
            return await FailAsync(turn, new Failure(ErrorCategory.Validation, "unknown_provider", Retryable: false));
        }

        if (await access.AfterFirstCheckAsync(provider.Name, turn.Lost) is { State: AccessState.Refused } refused)
        {
            return await WaitForAccessAsync(turn, new ProviderException(ErrorCategory.Authentication, refused.Detail), change => change.Job.Provider = provider.Name);
        }

        await ChangeAsync(turn, change =>
        {
            change.Job.Provider = provider.Name;
            change.Job.ProviderMode = provider.Mode;
            change.MoveTo(JobState.Preparing);
            change.AskForDataset();
        });
        return Rest.For(_options.AskDatasetEvery);
    }

    private async Task<Rest> PrepareAsync(Turn turn)
    {
        var job = turn.Job;
        if (job.CancelRequested)
        {
            return await CancelAsync(turn);
        }

        if (job.DatasetRefusedCode is { } code)
        {
            return await FailAsync(turn, Failure.DatasetRefused(code));
        }

        if (job.DatasetReady)
        {
            await ChangeAsync(turn, change =>
            {
                change.NoteWork(change.Job.DatasetBytes, providerId: null);
                change.OpenAttempt(change.Job.Provider!);
                change.MoveTo(JobState.Submitting);
            });
            return Rest.None;
        }

        if (turn.Now - job.StateSince > _options.DatasetDeadline)
        {
            return await FailAsync(turn, Failure.Timeout("preparing"));
        }

        if (turn.Now - job.DatasetAskedAt < _options.AskDatasetEvery)
        {
            return Rest.For(_options.AskDatasetEvery);
        }

        // Asked again, because the broker may have lost the question or the answer.
        await ChangeAsync(turn, static change => change.AskForDataset());
        try
        {
            if (await datasets.GetAsync(job.AccountId, job.Id, turn.Lost) is { Dataset: { } dataset })
            {
                await ChangeAsync(turn, change =>
                {
                    change.Job.DatasetReady = true;
                    change.Job.DatasetBytes = dataset.Bytes;
                    change.Job.DatasetPhotos = dataset.PhotoCount;
                });
                return Rest.None;
            }
        }
        catch (ProviderException)
        {
            // The next question comes soon enough.
        }

        return Rest.For(_options.AskDatasetEvery);
    }

    private ITrainingProvider ProviderOf(Turn turn) => providers[turn.Attempt.Provider];

    private Task<JobView> ChangeAsync(Turn turn, Action<JobChange> change, TimeSpan? extendLease = null) =>
        store.ChangeAsync(turn.Lease, change, turn.Lost, extendLease);

    /// <summary>Ends the job without a model. What still lies at the provider for an attempt that has ended is deleted first.</summary>
    private async Task<Rest> FailAsync(Turn turn, Failure failure, Action<JobChange>? before = null)
    {
        var view = await ChangeAsync(turn, change =>
        {
            before?.Invoke(change);
            change.Fail(failure);
        });
        metrics.Ended(view.Job);
        Log.Failed(logger, turn.Job.Id, failure.Code, failure.Category.ToText(), failure.Detail);
        await RevokeInputAsync(turn, view);
        return Rest.Ended;
    }

    private async Task<Rest> CancelAsync(Turn turn, Action<JobChange>? before = null)
    {
        var view = await ChangeAsync(turn, change =>
        {
            before?.Invoke(change);
            change.Cancel();
        });
        metrics.Ended(view.Job);
        Log.Canceled(logger, turn.Job.Id);
        await RevokeInputAsync(turn, view);
        return Rest.Ended;
    }

    /// <summary>Deletes the attempt's input once the attempt has ended. When that fails the provider's own expiry does it.</summary>
    private async Task RevokeInputAsync(Turn turn, JobView view)
    {
        if (view.Attempt is not { InputId: { } input, InputDeletedAt: null } attempt || !attempt.State.IsEnded())
        {
            return;
        }

        try
        {
            await providers[attempt.Provider].RevokeInputAsync(input, turn.Lost);
            await ChangeAsync(turn, static change => change.Attempt.InputDeletedAt = change.Now);
        }
        catch (ProviderException problem)
        {
            Log.InputKept(logger, turn.Job.Id, problem.Message);
        }
    }

    /// <summary>Waits after a failure that may pass, up to the number of tries that its kind has.</summary>
    private async Task<Rest> TryAgainAsync(Turn turn, ProviderException problem, int tries, Func<ProviderException, Failure> giveUp)
    {
        var kind = problem.Kind();
        if (kind == FailureKind.Access)
        {
            return await WaitForAccessAsync(turn, problem);
        }

        if (!problem.IsTransient || turn.Job.Failures.Of(kind) + 1 >= (kind == FailureKind.Throttled ? _options.RateLimitTries : tries))
        {
            return await FailAsync(turn, giveUp(problem), change =>
            {
                change.NoteFailure(problem);
                change.EndUnsentAttempt();
            });
        }

        await ChangeAsync(turn, change => change.NoteFailure(problem));
        Log.TryingAgain(logger, turn.Job.Id, turn.Job.State.ToText(), problem.Category.ToText(), problem.Message);
        return Rest.For(problem.RetryAfter is { } asked && asked > TimeSpan.Zero ? asked + Jitter(TimeSpan.FromMilliseconds(500)) : Backoff(turn.Job.Failures.InARow));
    }

    private async Task<Rest> NoteFaultAsync(LeasedJob lease, Exception exception)
    {
        try
        {
            var view = await store.ChangeAsync(
                lease,
                change =>
                {
                    change.NoteFailure(new ProviderException(ErrorCategory.ServiceError, $"Internal error: {exception.GetType().Name}."), FailureKind.Fault);
                    if (change.Job.Failures.Fault >= MostFaults && !change.Job.State.IsTerminal())
                    {
                        change.EndUnsentAttempt();
                        change.Fail(new Failure(ErrorCategory.ServiceError, FailureCodes.TrainingFailed, Retryable: true, "An internal error came again and again."));
                    }
                },
                lease.Lost);
            return view.Job.State.IsTerminal() ? Rest.Ended : Rest.For(Backoff(view.Job.Failures.InARow));
        }
        catch (Exception again) when (again is not LeaseLostException)
        {
            return Rest.For(_options.LongestBackoff);
        }
        catch (LeaseLostException)
        {
            return Rest.For(TimeSpan.Zero);
        }
    }

    private TimeSpan Backoff(int failures)
    {
        var wait = _options.FirstBackoff * Math.Pow(2, Math.Min(failures, 10));
        return (wait < _options.LongestBackoff ? wait : _options.LongestBackoff) * (0.75 + (Random.Shared.NextDouble() * 0.5));
    }

    private static TimeSpan Jitter(TimeSpan most) => most * Random.Shared.NextDouble();

    /// <summary>A job at the beginning of one step.</summary>
    private sealed record Turn(LeasedJob Lease, JobView View, Action<bool> Posting)
    {
        public Job Job => View.Job;

        public Attempt Attempt => View.Attempt ?? throw new InvalidOperationException($"The job {Job.Id} has no attempt.");

        public DateTimeOffset Now => View.Now;

        public CancellationToken Lost => Lease.Lost;
    }
}
