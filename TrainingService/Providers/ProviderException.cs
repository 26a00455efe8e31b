using Flurrty.TrainingService.Jobs;

namespace Flurrty.TrainingService.Providers;

/// <summary>A provider refused, failed or could not be reached. The message holds the provider's own words, never a secret.</summary>
internal sealed class ProviderException(
    ErrorCategory category,
    string message,
    int? httpStatus = null,
    TimeSpan? retryAfter = null,
    Exception? inner = null) : Exception(message, inner)
{
    public ErrorCategory Category { get; } = category;

    public int? HttpStatus { get; } = httpStatus;

    /// <summary>How long the provider asked to be left alone.</summary>
    public TimeSpan? RetryAfter { get; } = retryAfter;

    /// <summary>Whether the same request may succeed later without anybody changing anything.</summary>
    public bool IsTransient => Category is ErrorCategory.Network or ErrorCategory.RateLimit or ErrorCategory.Capacity
        or ErrorCategory.ServiceError or ErrorCategory.Timeout;
}
