using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Flurrty.ImagingChild;

/// <summary>
/// Takes away the system calls that decoding a picture never needs: other programs, other processes, sockets, mounts, keys, kernel parts.
/// Applied by the child to itself and all its threads once everything is loaded; it cannot be undone.
/// </summary>
internal static unsafe partial class SystemCallFilter
{
    private const ushort LoadWord = 0x20;
    private const ushort JumpIfEqual = 0x15;
    private const ushort JumpIfAtLeast = 0x35;
    private const ushort JumpIfSet = 0x45;
    private const ushort Return = 0x06;

    private const uint Allow = 0x7FFF0000;
    private const uint KillProcess = 0x80000000;
    private const uint Error = 0x00050000;
    private const uint NotPermitted = 1;
    private const uint NotImplemented = 38;

    private const uint NumberOffset = 0;
    private const uint ArchitectureOffset = 4;
    private const uint FirstArgumentOffset = 16;
    private const uint CloneThread = 0x00010000;
    private const uint ForeignTable = 0x40000000;

    private const nint SetModeFilter = 1;
    private const nint AllThreads = 1;

    // Numbers that both architectures share: io_uring, pidfd, the new mount calls.
    private static readonly uint[] Shared = [425, 426, 427, 428, 429, 430, 431, 432, 433, 434, 438, 442];

    // execve(at), ptrace, socket…listen, fork, vfork, (u)mount, pivot_root, chroot, unshare, setns, bpf, keys, perf, process_vm_*, modules, kexec,
    // userfaultfd, handles, ports, swap, reboot, clock, host name, kcmp.
    private static readonly uint[] DeniedX64 =
    [
        59, 322, 101, 41, 42, 43, 49, 50, 53, 57, 58, 165, 166, 155, 161, 272, 308, 321, 248, 249, 250, 298, 310, 311, 175, 176, 313, 246, 320, 323, 303, 304, 172, 173,
        167, 168, 169, 164, 227, 170, 171, 312, 288,
    ];

    private static readonly uint[] DeniedArm64 =
    [
        221, 281, 117, 198, 199, 200, 201, 202, 203, 242, 39, 40, 41, 51, 97, 268, 280, 217, 218, 219, 241, 270, 271, 105, 106, 273, 104, 294, 282, 264, 265, 142, 170, 112,
        161, 162, 272, 224, 225,
    ];

    public static void Apply()
    {
        var (architecture, filter, clone, denied) = RuntimeInformation.ProcessArchitecture switch
        {
            Architecture.X64 => (0xC000003Eu, (nint)317, 56u, DeniedX64),
            Architecture.Arm64 => (0xC00000B7u, (nint)277, 220u, DeniedArm64),
            var other => throw new PlatformNotSupportedException($"No system call table for {other}."),
        };
        var program = Compile(architecture, clone, denied);
        fixed (Instruction* first = program)
        {
            var header = new Program { Length = (ushort)program.Length, First = first };
            if (SystemCall(filter, SetModeFilter, AllThreads, &header) != 0)
            {
                throw new Win32Exception(Marshal.GetLastPInvokeError(), "The system call filter was refused");
            }
        }
    }

    private static Instruction[] Compile(uint architecture, uint clone, uint[] denied)
    {
        var program = new Instruction[8 + (2 * (denied.Length + Shared.Length)) + 5];
        var at = 0;
        void Add(ushort code, byte ifTrue, byte ifFalse, uint value) => program[at++] = new Instruction(code, ifTrue, ifFalse, value);

        Add(LoadWord, 0, 0, ArchitectureOffset);
        Add(JumpIfEqual, 1, 0, architecture);
        Add(Return, 0, 0, KillProcess);
        Add(LoadWord, 0, 0, NumberOffset);
        Add(JumpIfAtLeast, 0, 1, ForeignTable);
        Add(Return, 0, 0, KillProcess);

        // clone3 is not there: the C library falls back to clone, whose flags can be looked at.
        Add(JumpIfEqual, 0, 1, 435);
        Add(Return, 0, 0, Error | NotImplemented);
        foreach (var numbers in (uint[][])[denied, Shared])
        {
            foreach (var number in numbers)
            {
                Add(JumpIfEqual, 0, 1, number);
                Add(Return, 0, 0, Error | NotPermitted);
            }
        }

        // Threads yes, processes no.
        Add(JumpIfEqual, 0, 3, clone);
        Add(LoadWord, 0, 0, FirstArgumentOffset);
        Add(JumpIfSet, 1, 0, CloneThread);
        Add(Return, 0, 0, Error | NotPermitted);
        Add(Return, 0, 0, Allow);
        return program;
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SystemCall(nint number, nint first, nint second, Program* third);

    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Instruction(ushort code, byte ifTrue, byte ifFalse, uint value)
    {
        public readonly ushort Code = code;
        public readonly byte IfTrue = ifTrue;
        public readonly byte IfFalse = ifFalse;
        public readonly uint Value = value;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Program
    {
        public ushort Length;
        public Instruction* First;
    }
}
