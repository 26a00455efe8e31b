using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Flurrty.TrainingService.Jobs;

namespace Flurrty.TrainingService.Providers.Replicate;

/// <summary>Turns Replicate's refusals and the network's failures into the closed categories.</summary>
internal static partial class ReplicateErrors
{
    private const int MaxDetailLength = 300;

    public static ProviderException FromAnswer(HttpStatusCode status, TimeSpan? retryAfter, ReadOnlySpan<byte> body)
    {
        var detail = ReadDetail(body);
        var category = (int)status switch
        {
            401 or 403 => ErrorCategory.Authentication,
            402 => ErrorCategory.Payment,
            408 or 504 => ErrorCategory.Timeout,
            413 => ErrorCategory.FileError,
            429 => ErrorCategory.RateLimit,
            >= 400 and < 500 => ErrorCategory.Validation,
            _ => ErrorCategory.ServiceError,
        };
        return new ProviderException(
            category,
            detail is null ? $"Replicate answered {(int)status}." : $"Replicate answered {(int)status}: {detail}",
            (int)status,
            retryAfter ?? (status == HttpStatusCode.TooManyRequests ? ReadWait(detail) : null));
    }

    public static ProviderException FromNetwork(Exception exception) => exception switch
    {
        OperationCanceledException or TimeoutException =>
            new ProviderException(ErrorCategory.Timeout, "Replicate did not answer in time.", inner: exception),
        HttpRequestException { HttpRequestError: HttpRequestError.ConfigurationLimitExceeded } =>
            new ProviderException(ErrorCategory.ServiceError, "Replicate's answer is longer than allowed.", inner: exception),
        HttpRequestException request =>
            new ProviderException(ErrorCategory.Network, $"Replicate could not be reached ({request.HttpRequestError}).", inner: exception),
        _ => new ProviderException(ErrorCategory.Network, "The connection to Replicate broke.", inner: exception),
    };

    public static ProviderException Unreadable(string what, Exception? inner = null) =>
        new(ErrorCategory.ServiceError, $"Replicate's answer about {what} could not be read.", inner: inner);

    /// <summary>The wait that some throttling answers name only in their text.</summary>
    public static TimeSpan? ReadWait(string? detail)
    {
        if (detail is null)
        {
            return null;
        }

        var match = Wait().Match(detail);
        return match.Success && int.TryParse(match.Groups["seconds"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            ? TimeSpan.FromSeconds(seconds)
            : null;
    }

    private static string? ReadDetail(ReadOnlySpan<byte> body)
    {
        try
        {
            var problem = JsonSerializer.Deserialize(body, ReplicateJson.Default.ReplicateProblem);
            var text = problem?.Detail ?? problem?.Title;
            return text is { Length: > MaxDetailLength } ? text[..MaxDetailLength] : text;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    [GeneratedRegex(@"in ~?(?<seconds>\d{1,6})\s*s", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Wait();
}
