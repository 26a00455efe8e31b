using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.AspNetCore.DataProtection.XmlEncryption;
using Microsoft.Extensions.DependencyInjection;

namespace Flurrty.ServiceDefaults;

/// <summary>
/// Keeps ASP.NET Core's protection keys in memory. Authentication brings them along and would write them, unencrypted, below the home
/// directory; nothing here protects anything with them.
/// </summary>
internal sealed class ProtectionKeys : IXmlRepository
{
    private readonly List<XElement> _keys = [];

    public static void AddTo(IServiceCollection services) => services.Configure<KeyManagementOptions>(static options =>
    {
        options.XmlRepository = new ProtectionKeys();
        options.XmlEncryptor = new NullXmlEncryptor();
    });

    public IReadOnlyCollection<XElement> GetAllElements()
    {
        lock (_keys)
        {
            return [.. _keys];
        }
    }

    public void StoreElement(XElement element, string friendlyName)
    {
        lock (_keys)
        {
            _keys.Add(element);
        }
    }
}
