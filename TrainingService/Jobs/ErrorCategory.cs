namespace Flurrty.TrainingService.Jobs;

/// <summary>The closed set of reasons for which something at a provider can go wrong.</summary>
internal enum ErrorCategory
{
    Network,
    Authentication,
    Payment,
    Validation,
    RateLimit,
    Capacity,
    ServiceError,
    FileError,
    Timeout,
    Canceled,
    UnknownRun,
}

internal static class ErrorCategories
{
    /// <summary>The category as messages, rows and answers spell it.</summary>
    public static string ToText(this ErrorCategory category) => category switch
    {
        ErrorCategory.Network => "network",
        ErrorCategory.Authentication => "authentication",
        ErrorCategory.Payment => "payment",
        ErrorCategory.Validation => "validation",
        ErrorCategory.RateLimit => "rate_limit",
        ErrorCategory.Capacity => "capacity",
        ErrorCategory.ServiceError => "service_error",
        ErrorCategory.FileError => "file_error",
        ErrorCategory.Timeout => "timeout",
        ErrorCategory.Canceled => "canceled",
        ErrorCategory.UnknownRun => "unknown_run",
    };
}
