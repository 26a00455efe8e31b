using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Providers;

namespace Flurrty.TrainingService.Driving;

/// <summary>A provider's refusals and failures in the words of jobs.</summary>
internal static class ProviderFailures
{
    /// <summary>Which budget the failure counts for.</summary>
    public static FailureKind Kind(this ProviderException problem) => FailureCounts.KindOf(problem.Category);

    public static Failure ToFailure(this ProviderException problem) => Failure.From(problem.Category, problem.Message);

    public static void NoteFailure(this JobChange change, ProviderException problem, FailureKind? kind = null) =>
        change.NoteFailure(problem.Category, problem.Message, kind);
}
