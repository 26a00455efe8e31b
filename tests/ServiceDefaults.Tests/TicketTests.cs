using System.Security.Cryptography;
using Flurrty.ServiceDefaults.Tickets;
using Microsoft.Extensions.Options;

namespace Flurrty.ServiceDefaults.Tests;

public sealed class TicketTests : IDisposable
{
    private static readonly Guid Account = Guid.NewGuid();

    private readonly Clock _clock = new();
    private readonly ECDsa _gateway = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly ECDsa _registry = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    [Fact]
    public void Verify_TicketOfTheGateway_GivesItsCaller()
    {
        using var verifier = Verifier("uploads");
        Assert.Equal(new Caller(Account, TicketKind.User, "gateway"), verifier.Verify(UserTicket(), "POST", "/api/photo-sets"));
    }

    [Theory]
    [InlineData("uploads", "GET", "/api/photo-sets")]
    [InlineData("uploads", "POST", "/api/photo-sets/1")]
    [InlineData("training", "POST", "/api/photo-sets")]
    public void Verify_OtherAudienceMethodOrPath_Refuses(string audience, string method, string path)
    {
        using var verifier = Verifier(audience);
        Assert.Null(verifier.Verify(UserTicket(), method, path));
    }

    [Fact]
    public void Verify_TicketForTheLongestPath_GivesItsCallerForThatPathAlone()
    {
        using var signer = Signer("gateway", _gateway);
        using var verifier = Verifier("uploads");
        var path = "/api/" + new string('a', 100_000);
        var ticket = signer.Sign(TicketKind.User, "uploads", Account, "post", path);
        Assert.NotNull(verifier.Verify(ticket, "POST", path));
        Assert.Null(verifier.Verify(ticket, "POST", path + "a"));
        Assert.Equal(UserTicket().Length, ticket.Length);
    }

    [Fact]
    public void Verify_After60Seconds_Refuses()
    {
        var ticket = UserTicket();
        using var verifier = Verifier("uploads");
        _clock.Now += TimeSpan.FromSeconds(59);
        Assert.NotNull(verifier.Verify(ticket, "POST", "/api/photo-sets"));
        _clock.Now += TimeSpan.FromSeconds(1);
        Assert.Null(verifier.Verify(ticket, "POST", "/api/photo-sets"));
    }

    [Fact]
    public void Verify_ChangedByte_Refuses()
    {
        using var verifier = Verifier("uploads");
        var ticket = UserTicket();
        for (var i = 0; i < ticket.Length; i += 7)
        {
            var changed = ticket.ToCharArray();
            changed[i] = changed[i] == 'A' ? 'B' : 'A';
            Assert.Null(verifier.Verify(new string(changed), "POST", "/api/photo-sets"));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("a.b")]
    [InlineData("e30.e30")]
    [InlineData("e30.e30.e30")]
    public void Verify_Nonsense_Refuses(string ticket)
    {
        using var verifier = Verifier("uploads");
        Assert.Null(verifier.Verify(ticket, "POST", "/api/photo-sets"));
    }

    [Theory]
    [InlineData(TicketKind.User)]
    [InlineData(TicketKind.Operator)]
    public void Verify_CallersTicketSignedByAService_Refuses(TicketKind kind)
    {
        using var signer = Signer("registry", _registry);
        using var verifier = Verifier("uploads");
        Assert.NotNull(verifier.Verify(signer.Sign(TicketKind.Service, "uploads", Account, "PUT", "/internal/seals"), "PUT", "/internal/seals"));
        Assert.Null(verifier.Verify(signer.Sign(kind, "uploads", Account, "PUT", "/internal/seals"), "PUT", "/internal/seals"));
    }

    [Fact]
    public void Verify_WithoutConfiguredIssuers_Refuses()
    {
        using var verifier = new TicketVerifier(Options.Create(new TicketOptions { Audience = "uploads" }), _clock);
        Assert.Null(verifier.Verify(UserTicket(), "POST", "/api/photo-sets"));
    }

    [Fact]
    public void Validate_BrokenOptions_NamesEveryError()
    {
        var options = new TicketOptions { SigningKey = "x", Issuers = { ["gateway"] = "AAAA" } };
        var result = new TicketOptionsValidation().Validate(name: null, options);
        Assert.Equal(3, result.Failures?.Count());
    }

    public void Dispose()
    {
        _gateway.Dispose();
        _registry.Dispose();
    }

    private string UserTicket()
    {
        using var signer = Signer("gateway", _gateway);
        return signer.Sign(TicketKind.User, "uploads", Account, "POST", "/api/photo-sets");
    }

    private TicketSigner Signer(string issuer, ECDsa key) =>
        new(Options.Create(new TicketOptions { Audience = issuer, SigningKey = Convert.ToBase64String(key.ExportPkcs8PrivateKey()) }), _clock);

    private TicketVerifier Verifier(string audience) => new(
        Options.Create(new TicketOptions
        {
            Audience = audience,
            Issuers =
            {
                ["gateway"] = Convert.ToBase64String(_gateway.ExportSubjectPublicKeyInfo()),
                ["registry"] = Convert.ToBase64String(_registry.ExportSubjectPublicKeyInfo()),
            },
        }),
        _clock);

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
