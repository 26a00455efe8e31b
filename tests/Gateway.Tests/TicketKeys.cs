using System.Security.Cryptography;

namespace Flurrty.Gateway.Tests;

/// <summary>A signing key for one test run.</summary>
internal sealed class TicketKeys : IDisposable
{
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public string Private => Convert.ToBase64String(_key.ExportPkcs8PrivateKey());

    public string Public => Convert.ToBase64String(_key.ExportSubjectPublicKeyInfo());

    public void Dispose() => _key.Dispose();
}
