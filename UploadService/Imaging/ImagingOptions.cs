using System.ComponentModel.DataAnnotations;

namespace Flurrty.UploadService.Imaging;

/// <summary>Configuration section <c>Imaging</c>: what becomes of a photo, and the children that do it.</summary>
public sealed class ImagingOptions
{
    /// <summary>A <see cref="LibraryPath"/> that asks for the distribution's libvips.so.42.</summary>
    public const string SystemLibrary = "system";

    /// <summary>Longest side of a stored photo in pixels; larger ones are shrunk, smaller ones kept.</summary>
    [Range(256, 8192)]
    public int LongestSide { get; set; } = 1536;

    /// <summary>Side of the square thumbnail in pixels.</summary>
    [Range(16, 1024)]
    public int ThumbnailSide { get; set; } = 200;

    /// <summary>JPEG quality.</summary>
    [Range(50, 100)]
    public int Quality { get; set; } = 92;

    /// <summary>The shortest side that is accepted, in pixels.</summary>
    [Range(1, 4096)]
    public int ShortestSide { get; set; } = 64;

    /// <summary>Most pixels of a baseline JPEG, which is decoded in strips.</summary>
    [Range(1_000_000, 1_000_000_000)]
    public long MaxPixels { get; set; } = 60_000_000;

    /// <summary>Most pixels of everything that the decoder holds whole: progressive JPEG, PNG, WebP, HEIC, AVIF.</summary>
    [Range(1_000_000, 1_000_000_000)]
    public long MaxLayeredPixels { get; set; } = 30_000_000;

    /// <summary>Number of children; 0 for one per processor.</summary>
    [Range(0, 64)]
    public int Children { get; set; }

    /// <summary>Photos that one child handles before a fresh one takes over.</summary>
    [Range(1, 100_000)]
    public int PhotosPerChild { get; set; } = 100;

    /// <summary>How long a child for HEIC and AVIF stays without a photo.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan IdleTime { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How long one photo may take before its child is killed.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:02:00")]
    public TimeSpan PhotoTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a child may take to start.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:02:00")]
    public TimeSpan StartTimeout { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>Memory that a child may allocate, in bytes.</summary>
    [Range(128L * 1024 * 1024, 64L * 1024 * 1024 * 1024)]
    public long ChildMemory { get; set; } = 512L * 1024 * 1024;

    /// <summary>The libvips to load; empty for artifacts/imaging and, where that is missing, the system's; <see cref="SystemLibrary"/> for the system's at once.</summary>
    public string LibraryPath { get; set; } = "";

    /// <summary>The program that makes the sandbox.</summary>
    [Required]
    public string SandboxProgram { get; set; } = "/usr/bin/bwrap";

    /// <summary>Whether a child may run without namespaces where the system denies them. Null: in Development only.</summary>
    public bool? AllowUnconfined { get; set; }
}
