namespace Aspire.Hosting.Dcp;

/// <summary>Where the orchestrator and the dashboard are, and how they are used.</summary>
internal sealed class DcpOptions
{
    /// <summary>The orchestrator's program.</summary>
    internal string? CliPath { get; set; }

    /// <summary>The dashboard's program.</summary>
    internal string? DashboardPath { get; set; }

    /// <summary>Whether fixed ports of proxied endpoints are replaced by free ones.</summary>
    internal bool RandomizePorts { get; set; }

    internal void Read(IConfiguration configuration, AppHostMetadata metadata)
    {
        var layout = configuration["ASPIRE_LAYOUT_PATH"];
        CliPath = configuration["DcpPublisher:CliPath"] ?? InLayout("dcp", "dcp") ?? metadata.DcpCliPath;
        DashboardPath = configuration["DcpPublisher:DashboardPath"] ?? InLayout("managed", "aspire-managed") ?? metadata.DashboardPath;
        RandomizePorts = configuration.GetValue("DcpPublisher:RandomizePorts", defaultValue: false);

        string? InLayout(string directory, string file) => string.IsNullOrEmpty(layout) ? null : Path.Combine(layout, directory, file);
    }

    internal string RequireCli() => Require(CliPath, "orchestrator (DCP)", "DcpPublisher:CliPath");

    internal string RequireDashboard() => Require(DashboardPath, "dashboard", "DcpPublisher:DashboardPath");

    private static string Require(string? path, string what, string key)
    {
        if (path is not null && File.Exists(path))
        {
            // A link that is changed while the application runs must not change what runs.
            return Path.GetFullPath(path);
        }

        throw new DistributedApplicationException(
            $"The Aspire {what} is not at '{path ?? "(nowhere)"}'. Run eng/aspire-cli/install.sh, or set ASPIRE_LAYOUT_PATH or {key}.");
    }
}
