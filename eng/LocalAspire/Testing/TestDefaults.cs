using System.Reflection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.Testing;

/// <summary>What is different when an application runs in a test.</summary>
internal static class TestDefaults
{
    internal static void Apply(DistributedApplicationOptions options, HostApplicationBuilderSettings settings, Assembly assembly, string[] args)
    {
        // An AppHost hands on the arguments that it got, which are the test's.
        string[] given = options.Args ?? [];
        settings.Args = given.SequenceEqual(args, StringComparer.Ordinal) ? args : [.. given, .. args];
        options.Args = settings.Args;
        options.Assembly = assembly;
        options.AssemblyName = assembly.GetName().Name;
        options.DisableDashboard = true;
        options.EnableResourceLogging = true;
        settings.ApplicationName = options.AssemblyName;

        settings.Configuration ??= new ConfigurationManager();
        settings.Configuration.AddInMemoryCollection(new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase)
        {
            ["DcpPublisher:RandomizePorts"] = "true",
            ["ASPIRE_DASHBOARD_UNSECURED_ALLOW_ANONYMOUS"] = "true",
        });
    }
}
