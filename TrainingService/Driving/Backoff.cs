using Flurrty.TrainingService.Providers;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Driving;

/// <summary>How long a job waits before it is tried or looked at again. No two jobs keep in step.</summary>
internal sealed class Backoff(IOptions<DrivingOptions> options)
{
    private readonly DrivingOptions _options = options.Value;

    public TimeSpan Max => _options.MaxBackoff;

    /// <summary>Doubles with each failure in a row, up to a limit.</summary>
    public TimeSpan After(int failures)
    {
        var wait = _options.FirstBackoff * Math.Pow(2, Math.Min(failures, 10));
        return (wait < _options.MaxBackoff ? wait : _options.MaxBackoff) * (0.75 + (Random.Shared.NextDouble() * 0.5));
    }

    /// <summary>As long as the provider asks for, else as long as the failures say.</summary>
    public TimeSpan After(ProviderException problem, int failures) =>
        problem.RetryAfter is { } asked && asked > TimeSpan.Zero ? asked + UpTo(TimeSpan.FromMilliseconds(500)) : After(failures);

    /// <summary>Until the next look at a run: often soon after the submission, seldom later.</summary>
    public TimeSpan ToNextLook(TimeSpan sinceSubmission) => Around(sinceSubmission < _options.LookSoonFor ? _options.LookSoon : _options.LookLater);

    /// <summary>The interval, give or take a tenth.</summary>
    public static TimeSpan Around(TimeSpan interval) => interval * (0.9 + (Random.Shared.NextDouble() * 0.2));

    public static TimeSpan UpTo(TimeSpan max) => max * Random.Shared.NextDouble();
}
