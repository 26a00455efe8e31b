using System.Runtime.InteropServices;

namespace Flurrty.ImagingChild;

/// <summary>
/// While it lives, the calling thread and the threads that it starts may use two processors only. Decoders of AV1 start a thread for each
/// processor that they may use, and on a large machine their stacks alone would fill the memory that a child may have.
/// </summary>
internal unsafe ref partial struct ProcessorShare
{
    private const int MaskBytes = 128;
    private const int Processors = 2;
    private fixed byte _before[MaskBytes];
    private bool _changed;

    public static ProcessorShare Take()
    {
        var share = new ProcessorShare();
        if (GetAffinity(0, MaskBytes, share._before) != 0)
        {
            return share;
        }

        var mask = stackalloc byte[MaskBytes];
        new Span<byte>(mask, MaskBytes).Clear();
        var first = Math.Max(0, CurrentProcessor());
        var taken = 0;
        for (var step = 0; step < MaskBytes * 8 && taken < Processors; step++)
        {
            var processor = (first + step) % (MaskBytes * 8);
            if ((share._before[processor / 8] & (1 << (processor % 8))) != 0)
            {
                mask[processor / 8] |= (byte)(1 << (processor % 8));
                taken++;
            }
        }

        share._changed = taken > 0 && SetAffinity(0, MaskBytes, mask) == 0;
        return share;
    }

    public void Dispose()
    {
        if (_changed)
        {
            fixed (byte* before = _before)
            {
                _ = SetAffinity(0, MaskBytes, before);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "sched_getaffinity")]
    private static partial int GetAffinity(int thread, nuint bytes, byte* mask);

    [LibraryImport("libc", EntryPoint = "sched_setaffinity")]
    private static partial int SetAffinity(int thread, nuint bytes, byte* mask);

    [LibraryImport("libc", EntryPoint = "sched_getcpu")]
    private static partial int CurrentProcessor();
}
