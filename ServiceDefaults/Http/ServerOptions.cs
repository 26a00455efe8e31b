using System.ComponentModel.DataAnnotations;

namespace Flurrty.ServiceDefaults.Http;

/// <summary>Configuration section <c>Server</c>.</summary>
internal sealed class ServerOptions
{
    public const string Section = "Server";

    /// <summary>The port, among those that the service listens on, that speaks HTTP/2 without TLS (h2c); the others speak HTTP/1.1. Without one there is none.</summary>
    [Range(1, 65535)]
    public int? Http2Port { get; init; }

    /// <summary>How much of a body is read on after its request was answered, in bytes.</summary>
    [Range(0L, long.MaxValue)]
    public long DrainBytes { get; init; } = 128 * 1024 * 1024;

    /// <summary>For how long a body is read on after its request was answered.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:05:00")]
    public TimeSpan DrainTime { get; init; } = TimeSpan.FromSeconds(30);
}
