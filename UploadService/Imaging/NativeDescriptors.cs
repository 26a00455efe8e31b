using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Flurrty.UploadService.Imaging;

/// <summary>The three system calls that .NET has no wrapper for.</summary>
internal static partial class NativeDescriptors
{
    private const uint CloseRangeCloseOnExec = 4;
    private const uint MemfdCloseOnExec = 1;
    private const int SetPipeSizeCommand = 1031;

    /// <summary>Marks everything but standard input, output and error to be closed in children, whoever opened it.</summary>
    public static void CloseAllOnExec() => _ = CloseRange(3, uint.MaxValue, CloseRangeCloseOnExec);

    /// <summary>Opens an anonymous file in memory; it is gone with its last descriptor.</summary>
    public static SafeFileHandle OpenMemoryFile(string name)
    {
        var descriptor = MemfdCreate(name, MemfdCloseOnExec);
        return descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true) : throw new Win32Exception(Marshal.GetLastPInvokeError());
    }

    /// <summary>Asks for a larger pipe, so that a photo needs few context switches. A refusal does no harm.</summary>
    public static void EnlargePipe(SafeHandle pipe, int bytes) => _ = FileControl(pipe, SetPipeSizeCommand, bytes);

    [LibraryImport("libc", EntryPoint = "close_range", SetLastError = true)]
    private static partial int CloseRange(uint first, uint last, uint flags);

    [LibraryImport("libc", EntryPoint = "memfd_create", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MemfdCreate(string name, uint flags);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int FileControl(SafeHandle descriptor, int command, int argument);
}
