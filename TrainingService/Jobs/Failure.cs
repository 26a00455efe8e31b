namespace Flurrty.TrainingService.Jobs;

/// <summary>Why a job failed, as callers are told.</summary>
/// <param name="Category">The category.</param>
/// <param name="Code">The stable code.</param>
/// <param name="Retryable">Whether a retry may succeed.</param>
/// <param name="Detail">What the debug summary says besides; never a secret.</param>
internal sealed record Failure(ErrorCategory Category, string Code, bool Retryable, string? Detail = null)
{
    public static Failure DatasetRefused(string? code) => new(ErrorCategory.FileError, FailureCodes.DatasetRefused, Retryable: false, code);

    public static Failure Timeout(string phase) =>
        new(ErrorCategory.Timeout, FailureCodes.ProviderTimeout, Retryable: true, $"The phase {phase} took too long.");

    public static Failure RunVanished() =>
        new(ErrorCategory.UnknownRun, FailureCodes.ProviderRunVanished, Retryable: true, "The provider does not know the run any more.");

    public static Failure UnknownRun() =>
        new(ErrorCategory.UnknownRun, FailureCodes.UnknownRun, Retryable: false, "It could not be found out whether the provider made a run.");

    public static Failure ModeChanged(string mode) => new(
        ErrorCategory.Canceled,
        FailureCodes.ProviderModeChanged,
        Retryable: false,
        $"It was begun in the mode sandbox; the provider's mode is {mode} now.");

    /// <summary>What was waited for did not come. With a run at the provider nothing may be said to be free of charge.</summary>
    public static Failure AccessRefused(ErrorCategory category, string detail, bool hasRun) => new(
        category,
        hasRun ? FailureCodes.ProviderAccessLost
            : category == ErrorCategory.Payment ? FailureCodes.ProviderPaymentRequired
            : FailureCodes.ProviderCredentialsRefused,
        Retryable: true,
        detail);

    /// <summary>The failure that a provider's refusal becomes once it is no longer waited for.</summary>
    public static Failure From(ErrorCategory category, string detail) => category switch
    {
        ErrorCategory.Validation or ErrorCategory.FileError => new(category, FailureCodes.ProviderRejectedInput, Retryable: false, detail),
        ErrorCategory.RateLimit => new(category, FailureCodes.ProviderRateLimited, Retryable: true, detail),
        _ => new(category, FailureCodes.ProviderUnavailable, Retryable: true, detail),
    };
}

/// <summary>The stable codes of failed trainings.</summary>
internal static class FailureCodes
{
    public const string ProviderCredentialsRefused = "provider_credentials_refused";
    public const string ProviderModeChanged = "provider_mode_changed";
    public const string ProviderAccessLost = "provider_access_lost";
    public const string ProviderPaymentRequired = "provider_payment_required";
    public const string ProviderRejectedInput = "provider_rejected_input";
    public const string ProviderRateLimited = "provider_rate_limited";
    public const string ProviderUnavailable = "provider_unavailable";
    public const string ProviderTimeout = "provider_timeout";
    public const string ProviderRunVanished = "provider_run_vanished";
    public const string UnknownRun = "unknown_run";
    public const string ModelInvalid = "model_invalid";
    public const string ModelDownloadFailed = "model_download_failed";
    public const string DatasetRefused = "dataset_refused";
    public const string TrainingFailed = "training_failed";
    public const string Canceled = "canceled";
}
