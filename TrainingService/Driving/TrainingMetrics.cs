using System.Diagnostics.Metrics;
using Flurrty.TrainingService.Jobs;

namespace Flurrty.TrainingService.Driving;

/// <summary>Counts what becomes of jobs and runs.</summary>
internal sealed class TrainingMetrics
{
    private readonly Counter<long> _ended;
    private readonly Counter<long> _submitted;
    private readonly Counter<long> _adopted;

    public TrainingMetrics(IMeterFactory meters)
    {
        var meter = meters.Create("Flurrty.TrainingService");
        _ended = meter.CreateCounter<long>("flurrty.jobs.ended", "{job}", "Jobs that ended, by state and failure code.");
        _submitted = meter.CreateCounter<long>("flurrty.runs.submitted", "{run}", "Runs that a provider made for us.");
        _adopted = meter.CreateCounter<long>("flurrty.runs.adopted", "{run}", "Runs of unknown outcome that were found again.");
    }

    public void Ended(Job job) => _ended.Add(1, new("state", job.State.ToText()), new("code", job.FailureCode));

    public void Submitted(string provider) => _submitted.Add(1, new KeyValuePair<string, object?>("provider", provider));

    public void Adopted(string provider) => _adopted.Add(1, new KeyValuePair<string, object?>("provider", provider));
}
