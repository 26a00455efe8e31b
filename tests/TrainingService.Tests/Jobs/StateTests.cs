using Flurrty.TrainingService.Jobs;

namespace Flurrty.TrainingService.Tests.Jobs;

public sealed class StateTests
{
    private static readonly JobState[] Forward =
    [
        JobState.Accepted, JobState.Preparing, JobState.Submitting, JobState.Queued, JobState.Training, JobState.Collecting, JobState.Publishing, JobState.Succeeded,
    ];

    [Fact]
    public void Job_OnItsWay_MayTakeEachNextState()
    {
        foreach (var (from, to) in Forward.Zip(Forward.Skip(1)))
        {
            Assert.True(from.MayBecome(to), $"{from} to {to}");
        }
    }

    [Fact]
    public void Job_NeverMovesBack()
    {
        for (var to = 0; to < Forward.Length; to++)
        {
            for (var from = to; from < Forward.Length; from++)
            {
                Assert.False(Forward[from].MayBecome(Forward[to]), $"{Forward[from]} to {Forward[to]}");
            }
        }
    }

    [Fact]
    public void Job_ThatEnded_IsFinalButForARetry()
    {
        foreach (var to in Enum.GetValues<JobState>())
        {
            Assert.False(JobState.Succeeded.MayBecome(to));
            Assert.False(JobState.Canceled.MayBecome(to));
            Assert.Equal(to is JobState.Accepted or JobState.Queued or JobState.NeedsReview or JobState.Collecting, JobState.Failed.MayBecome(to));
        }
    }

    [Fact]
    public void Job_WhoseRunIsUncertain_WaitsOnlyBeforeARunIsKnown()
    {
        Assert.True(JobState.Submitting.MayBecome(JobState.NeedsReview));
        Assert.True(JobState.NeedsReview.MayBecome(JobState.Queued));
        Assert.True(JobState.NeedsReview.MayBecome(JobState.Submitting));
        Assert.False(JobState.Queued.MayBecome(JobState.NeedsReview));
        Assert.False(JobState.NeedsReview.MayBecome(JobState.Succeeded));
    }

    [Fact]
    public void Attempt_OnceTheRequestMayBeOut_EndsOnlyByProof()
    {
        foreach (var to in Enum.GetValues<AttemptState>())
        {
            Assert.Equal(to is AttemptState.Running or AttemptState.NotRun, AttemptState.Unknown.MayBecome(to));
            Assert.Equal(to is AttemptState.Running or AttemptState.NotRun or AttemptState.Unknown or AttemptState.Uploaded, AttemptState.Posting.MayBecome(to));
            Assert.Equal(to is AttemptState.Succeeded or AttemptState.Failed or AttemptState.Canceled, AttemptState.Running.MayBecome(to));
        }
    }

    [Fact]
    public void Attempt_ThatEnded_NeverChanges()
    {
        foreach (var from in Enum.GetValues<AttemptState>().Where(static state => state.IsEnded()))
        {
            foreach (var to in Enum.GetValues<AttemptState>())
            {
                Assert.False(from.MayBecome(to), $"{from} to {to}");
            }
        }
    }

    [Fact]
    public void Retry_OfEachAttempt_GoesOnWhereNothingIsBoughtTwice()
    {
        var expected = Enum.GetValues<AttemptState>().ToDictionary(static state => state, static state => state switch
        {
            AttemptState.Running => JobState.Queued,
            AttemptState.Posting or AttemptState.Unknown => JobState.NeedsReview,
            AttemptState.Succeeded => JobState.Collecting,
            _ => JobState.Accepted,
        });

        Assert.Equal(JobState.Accepted, Transitions.OnRetry(last: null, isSpent: false));
        Assert.Equal(JobState.Accepted, Transitions.OnRetry(AttemptState.Succeeded, isSpent: true));
        Assert.All(expected, static pair => Assert.Equal(pair.Value, Transitions.OnRetry(pair.Key, isSpent: false)));
        Assert.All(expected, static pair => Assert.True(JobState.Failed.MayBecome(pair.Value)));
    }

    [Fact]
    public void Cancel_AtEachPlace_EndsTheJobOnlyWhereNoRunCanBe()
    {
        AttemptState?[] attempts = [null, .. Enum.GetValues<AttemptState>().Cast<AttemptState?>()];
        foreach (var job in Enum.GetValues<JobState>())
        {
            foreach (var attempt in attempts)
            {
                var effect = Transitions.OnCancel(job, attempt);
                var isSubmitting = job is JobState.Submitting or JobState.NeedsReview;
                var mayHaveRun = isSubmitting && attempt is AttemptState.Posting or AttemptState.Unknown or AttemptState.Running;

                Assert.Equal(job is JobState.Accepted or JobState.Preparing || (isSubmitting && !mayHaveRun), effect == CancelEffect.Ends);
                Assert.Equal(
                    job is JobState.Queued or JobState.Training || (isSubmitting && attempt == AttemptState.Running), effect == CancelEffect.StopsTheRun);
                Assert.Equal(job is JobState.Collecting or JobState.Publishing || job.IsTerminal(), effect == CancelEffect.None);
                Assert.True(effect != CancelEffect.Ends || job.MayBecome(JobState.Canceled));
            }
        }
    }

    [Fact]
    public void States_RoundTripThroughTheirTexts()
    {
        Assert.All(Enum.GetValues<JobState>(), static state => Assert.Equal(state, JobStates.Parse(state.ToText())));
        Assert.All(Enum.GetValues<AttemptState>(), static state => Assert.Equal(state, AttemptStates.Parse(state.ToText())));
    }
}
