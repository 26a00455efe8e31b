using System.Net;
using System.Text;
using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Providers.Replicate;

namespace Flurrty.TrainingService.Tests.Providers;

public sealed class ReplicateErrorTests
{
    [Theory]
    [InlineData(401, "authentication", "provider_credentials_refused", false)]
    [InlineData(403, "authentication", "provider_credentials_refused", false)]
    [InlineData(402, "payment", "provider_payment_required", false)]
    [InlineData(404, "validation", "provider_rejected_input", false)]
    [InlineData(413, "file_error", "provider_rejected_input", false)]
    [InlineData(422, "validation", "provider_rejected_input", false)]
    [InlineData(429, "rate_limit", "provider_rate_limited", true)]
    [InlineData(408, "timeout", "provider_unavailable", true)]
    [InlineData(500, "service_error", "provider_unavailable", true)]
    [InlineData(503, "service_error", "provider_unavailable", true)]
    [InlineData(504, "timeout", "provider_unavailable", true)]
    [InlineData(302, "service_error", "provider_unavailable", true)]
    public void Answer_WithStatus_HasItsCategoryAndCode(int status, string category, string code, bool transient)
    {
        var problem = ReplicateErrors.FromAnswer((HttpStatusCode)status, retryAfter: null, "{}"u8);

        Assert.Equal(category, problem.Category.ToText());
        Assert.Equal(transient, problem.IsTransient);
        var isWaitedFor = FailureCounts.KindOf(problem.Category) == FailureKind.Access;
        Assert.Equal(status is 401 or 402 or 403, isWaitedFor);
        Assert.Equal(code, (isWaitedFor
            ? Failure.AccessRefused(problem.Category, problem.Message, hasRun: false)
            : Failure.From(problem.Category, problem.Message)).Code);
    }

    [Theory]
    [InlineData("Request was throttled. Expected available in 1 second.", 1)]
    [InlineData("You have used up your limit. Your rate limit resets in ~30s.", 30)]
    [InlineData("Slow down.", null)]
    public void Throttle_WithoutHeader_IsReadFromItsText(string detail, int? seconds)
    {
        var problem = ReplicateErrors.FromAnswer(
            HttpStatusCode.TooManyRequests, retryAfter: null, Encoding.UTF8.GetBytes($$"""{"detail":"{{detail}}"}"""));

        Assert.Equal(seconds, problem.RetryAfter?.TotalSeconds);
    }

    [Fact]
    public void Throttle_WithHeader_TakesTheHeader()
    {
        var problem = ReplicateErrors.FromAnswer(
            HttpStatusCode.TooManyRequests, TimeSpan.FromSeconds(7), "{\"detail\":\"Expected available in 1 second.\"}"u8);

        Assert.Equal(TimeSpan.FromSeconds(7), problem.RetryAfter);
    }

    [Fact]
    public void Answer_OfHtml_HasNoDetail() =>
        Assert.Equal("Replicate answered 502.", ReplicateErrors.FromAnswer(HttpStatusCode.BadGateway, null, "<html>"u8).Message);

    [Fact]
    public void EveryCategory_HasATextOfItsOwn()
    {
        var texts = Enum.GetValues<ErrorCategory>().Select(static category => category.ToText()).ToArray();

        Assert.Equal(
            ["authentication", "canceled", "capacity", "file_error", "network", "payment", "rate_limit", "service_error", "timeout", "unknown_run", "validation"],
            texts.Order(StringComparer.Ordinal));
    }
}
