using System.Security.Cryptography;
using Flurrty.ServiceDefaults.Tickets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Flurrty.TrainingService.Tests.Service;

/// <summary>Signing keys as the topology gives them out.</summary>
internal sealed class TicketKeys
{
    private readonly Dictionary<string, (string Private, string Public)> _keys = new(StringComparer.Ordinal);

    public TicketKeys()
    {
        foreach (var issuer in new[] { "gateway", "registry", "training" })
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            _keys[issuer] = (Convert.ToBase64String(key.ExportPkcs8PrivateKey()), Convert.ToBase64String(key.ExportSubjectPublicKeyInfo()));
        }
    }

    public string Private(string issuer) => _keys[issuer].Private;

    public string Public(string issuer) => _keys[issuer].Public;

    public TicketSigner SignerOf(string issuer)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Configuration["Tickets:Audience"] = issuer;
        builder.Configuration["Tickets:SigningKey"] = Private(issuer);
        builder.AddTicketSigner();
        return builder.Build().Services.GetRequiredService<TicketSigner>();
    }
}
