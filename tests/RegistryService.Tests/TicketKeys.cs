using System.Security.Cryptography;
using Flurrty.ServiceDefaults.Tickets;
using Microsoft.Extensions.Options;

namespace Flurrty.RegistryService.Tests;

/// <summary>A signing key for one test run.</summary>
internal sealed class TicketKeys : IDisposable
{
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public string Private => Convert.ToBase64String(_key.ExportPkcs8PrivateKey());

    public string Public => Convert.ToBase64String(_key.ExportSubjectPublicKeyInfo());

    public TicketSigner SignerOf(string issuer) => new(Options.Create(new TicketOptions { Audience = issuer, SigningKey = Private }), TimeProvider.System);

    public void Dispose() => _key.Dispose();
}
