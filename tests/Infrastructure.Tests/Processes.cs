using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;

[assembly: SupportedOSPlatform("linux")]

namespace Flurrty.Infrastructure.Tests;

/// <summary>What /proc tells about processes; one that only waits to be reaped by its parent counts as gone.</summary>
internal static partial class Processes
{
    internal const int Kill = 9;
    internal const int Terminate = 15;

    internal static IReadOnlyList<int> TreeOf(int root)
    {
        var children = Alive().ToLookup(process => process.Parent, process => process.Id);
        List<int> tree = [root];
        for (var i = 0; i < tree.Count; i++)
        {
            tree.AddRange(children[tree[i]]);
        }

        return tree;
    }

    internal static IReadOnlyList<int> StillAlive(IEnumerable<int> ids) => [.. ids.Intersect(Alive().Select(process => process.Id))];

    internal static void Signal(int id, int signal) => _ = SendSignal(id, signal);

    private static List<(int Id, int Parent)> Alive()
    {
        List<(int, int)> alive = [];
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(directory), CultureInfo.InvariantCulture, out var id))
            {
                continue;
            }

            try
            {
                // "pid (name) state parent …"; the name may hold anything.
                var stat = File.ReadAllText(Path.Combine(directory, "stat"));
                var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
                if (fields[0] is not ("Z" or "X"))
                {
                    alive.Add((id, int.Parse(fields[1], CultureInfo.InvariantCulture)));
                }
            }
            catch (IOException)
            {
                // It ended while we looked.
            }
        }

        return alive;
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SendSignal(int id, int signal);
}
