using System.Text;
using Flurrty.TrainingService.Webhooks;

namespace Flurrty.TrainingService.Tests.Webhooks;

public sealed class StandardWebhookTests
{
    // The example of the Standard Webhooks specification.
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    private const string Id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    private const string Timestamp = "1614265330";
    private const string Signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    private static readonly byte[] Body = Encoding.UTF8.GetBytes("{\"test\": 2432232314}");
    private static readonly DateTimeOffset SignedAt = DateTimeOffset.FromUnixTimeSeconds(1614265330);

    [Theory]
    [InlineData(Signature)]
    [InlineData("v1,AAAA v2,nonsense " + Signature)]
    [InlineData("v1a,AAAA " + Signature)]
    public void Delivery_WithOneMatchingSignature_IsGenuine(string signatures) =>
        Assert.Equal(WebhookVerdict.Genuine, Verify(signatures, SignedAt));

    [Theory]
    [InlineData("v1,h0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")]
    [InlineData("g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")]
    [InlineData("v1,")]
    [InlineData("v1,g0hM9SsE")]
    public void Delivery_WithoutAMatchingSignature_IsForged(string signatures) =>
        Assert.Equal(WebhookVerdict.Forged, Verify(signatures, SignedAt));

    [Theory]
    [InlineData(-299, false)]
    [InlineData(299, false)]
    [InlineData(301, true)]
    [InlineData(-301, true)]
    public void Delivery_OffByMoreThanFiveMinutes_IsStale(int seconds, bool stale) =>
        Assert.Equal(stale ? WebhookVerdict.Stale : WebhookVerdict.Genuine, Verify(Signature, SignedAt.AddSeconds(seconds)));

    [Fact]
    public void Delivery_WithAnotherBody_IsForged() =>
        Assert.Equal(
            WebhookVerdict.Forged,
            StandardWebhook.Verify(new WebhookDelivery(Id, Timestamp, Signature, "{}"u8.ToArray()), Secret, SignedAt, TimeSpan.FromMinutes(5)));

    [Theory]
    [InlineData(null, Timestamp, Signature)]
    [InlineData(Id, null, Signature)]
    [InlineData(Id, Timestamp, null)]
    [InlineData(Id, "yesterday", Signature)]
    [InlineData(Id, "-5", Signature)]
    [InlineData(Id, "99999999999999999999", Signature)]
    public void Delivery_WithoutItsHeaders_IsMalformed(string? id, string? timestamp, string? signature) =>
        Assert.Equal(
            WebhookVerdict.Malformed,
            StandardWebhook.Verify(new WebhookDelivery(id, timestamp, signature, Body), Secret, SignedAt, TimeSpan.FromMinutes(5)));

    [Fact]
    public void Token_RoundTrips_AndNeverShowsItself()
    {
        var token = WebhookToken.Create();

        var parsed = WebhookToken.Parse(token.Text);

        Assert.Equal(token.Hash, parsed?.Hash);
        Assert.DoesNotContain(token.Text, $"{token}", StringComparison.Ordinal);
        Assert.Null(WebhookToken.Parse(token.Text[1..]));
        Assert.Null(WebhookToken.Parse(new string('!', 43)));
    }

    private static WebhookVerdict Verify(string signatures, DateTimeOffset now) =>
        StandardWebhook.Verify(new WebhookDelivery(Id, Timestamp, signatures, Body), Secret, now, TimeSpan.FromMinutes(5));
}
