namespace Flurrty.UploadService.Imaging;

/// <summary>Finds the libvips that eng/imaging/install.sh has put down.</summary>
internal static class VipsLocation
{
    private const string Pattern = "libvips-cpp.so.*";

    /// <summary>The path of the library, or null for the system's.</summary>
    public static string? Find(string configured, string baseDirectory)
    {
        if (string.Equals(configured, ImagingOptions.SystemLibrary, StringComparison.Ordinal))
        {
            return null;
        }

        if (configured.Length > 0)
        {
            return File.Exists(configured) ? Path.GetFullPath(configured) : throw new InvalidOperationException($"Imaging:LibraryPath is not a file: {configured}");
        }

        if (FindIn(Path.Combine(baseDirectory, "imaging")) is { } beside)
        {
            return beside;
        }

        for (var directory = new DirectoryInfo(baseDirectory); directory is not null; directory = directory.Parent)
        {
            if (FindIn(Path.Combine(directory.FullName, "artifacts", "imaging")) is { } found)
            {
                return found;
            }
        }

        return null;
    }

    private static string? FindIn(string directory) =>
        Directory.Exists(directory) ? Directory.EnumerateFiles(directory, Pattern).Order(StringComparer.Ordinal).LastOrDefault() : null;
}
