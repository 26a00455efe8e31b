namespace Flurrty.ImagingChild;

/// <summary>libvips refused: its own words, which may quote the file and therefore never leave the log.</summary>
internal sealed class VipsException(string message) : Exception(message);
