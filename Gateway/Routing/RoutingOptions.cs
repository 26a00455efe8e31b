using System.ComponentModel.DataAnnotations;

namespace Flurrty.Gateway.Routing;

/// <summary>Configuration section <c>Routing</c>.</summary>
internal sealed class RoutingOptions
{
    public const string Section = "Routing";
    private const long MiB = 1024 * 1024;
    private const long MostPhotos = 40;

    // A photo has at most 20 MB; the rest is for the parts' headers.
    private const long MostPerPhoto = 21 * MiB;

    /// <summary>The largest body of a request to a route that names no other.</summary>
    [Range(1024L, long.MaxValue)]
    public long MaxBodyBytes { get; init; } = MiB;

    /// <summary>The largest body of a photo upload.</summary>
    [Range(1024L, long.MaxValue)]
    public long MaxUploadBytes { get; init; } = MostPhotos * MostPerPhoto;

    /// <summary>The largest body of a provider's or a worker's message.</summary>
    [Range(1024L, long.MaxValue)]
    public long MaxWebhookBytes { get; init; } = 10 * MiB;

    /// <summary>How long a service may neither take nor give a byte.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "01:00:00")]
    public TimeSpan Inactivity { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The same for a photo upload: its photos are decoded before it is answered.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "01:00:00")]
    public TimeSpan UploadInactivity { get; init; } = TimeSpan.FromSeconds(180);
}
