using System.Runtime.InteropServices;

namespace Flurrty.UploadService.Tests.Imaging;

internal static partial class Native
{
    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    public static partial int Kill(int processId, int signal);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int descriptor);
}

/// <summary>A file opened as a careless library would: children inherit it.</summary>
internal sealed class InheritableFile : IDisposable
{
    private readonly int _descriptor;

    public InheritableFile()
    {
        Path = System.IO.Path.GetTempFileName();
        _descriptor = Native.Open(Path, 0);
        Assert.True(_descriptor >= 0);
    }

    public string Path { get; }

    public void Dispose()
    {
        _ = Native.Close(_descriptor);
        File.Delete(Path);
    }
}

internal static class LinkTargets
{
    /// <summary>What a link of /proc says, such as <c>net:[4026531840]</c>.</summary>
    public static string Read(string path) => new FileInfo(path).LinkTarget ?? "";
}

/// <summary>Runs only where the distribution's libvips is installed; the setup of the tests installs it.</summary>
internal sealed class FactWithSystemVipsAttribute : FactAttribute
{
    public FactWithSystemVipsAttribute()
    {
        if (!NativeLibrary.TryLoad("libvips.so.42", out _))
        {
            Skip = "libvips.so.42 is not installed here.";
        }
    }
}
