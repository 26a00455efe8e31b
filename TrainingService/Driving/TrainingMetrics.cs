using System.Diagnostics.Metrics;
using Flurrty.TrainingService.Jobs;

namespace Flurrty.TrainingService.Driving;

/// <summary>Counts what becomes of jobs and runs.</summary>
internal sealed class TrainingMetrics
{
    private readonly Counter<long> _ended;
    private readonly Counter<long> _submitted;
    private readonly Counter<long> _adopted;

    // Every reason is reported, even with no job waiting, so that an alarm sees the end.
    private IReadOnlyDictionary<string, long> _waiting = Waiting(new Dictionary<string, long>(StringComparer.Ordinal));

    public TrainingMetrics(IMeterFactory meters)
    {
        var meter = meters.Create("Flurrty.TrainingService");
        _ended = meter.CreateCounter<long>("flurrty.jobs.ended", "{job}", "Jobs that ended, by state and failure code.");
        _submitted = meter.CreateCounter<long>("flurrty.runs.submitted", "{run}", "Runs that a provider made for us.");
        meter.CreateObservableGauge(
            "flurrty.jobs.waiting",
            () => _waiting.Select(static pair => new Measurement<long>(pair.Value, new KeyValuePair<string, object?>("reason", pair.Key))),
            "{job}",
            "Jobs that wait until somebody mends credentials or an account at a provider, by reason.");
        _adopted = meter.CreateCounter<long>("flurrty.runs.adopted", "{run}", "Runs of unknown outcome that were found again.");
    }

    /// <summary>How many jobs of all accounts wait, as the database has just counted them.</summary>
    public void NoteWaiting(IReadOnlyDictionary<string, long> counted) => _waiting = Waiting(counted);

    public void Ended(Job job) => _ended.Add(1, new("state", job.State.ToText()), new("code", job.FailureCode));

    public void Submitted(string provider) => _submitted.Add(1, new KeyValuePair<string, object?>("provider", provider));

    public void Adopted(string provider) => _adopted.Add(1, new KeyValuePair<string, object?>("provider", provider));

    private static Dictionary<string, long> Waiting(IReadOnlyDictionary<string, long> counted) => Enum.GetValues<WaitingReason>()
        .Select(static reason => reason.ToText()).ToDictionary(static reason => reason, reason => counted.GetValueOrDefault(reason), StringComparer.Ordinal);
}
