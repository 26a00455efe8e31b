using System.Diagnostics;
using System.Globalization;

namespace Flurrty.Topology.Tests;

/// <summary>Processes as /proc shows them.</summary>
internal static class ProcessTree
{
    public sealed record Entry(int Pid, int Parent, string Name, string CommandLine);

    public static IReadOnlyList<Entry> All() =>
    [
        .. Directory.EnumerateDirectories("/proc")
            .Select(static directory => int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) ? Read(pid) : null)
            .OfType<Entry>(),
    ];

    public static IEnumerable<Entry> Ancestors(int pid)
    {
        for (var entry = Read(pid); entry is { Parent: > 0 }; entry = Read(entry.Parent))
        {
            if (Read(entry.Parent) is { } parent)
            {
                yield return parent;
            }
        }
    }

    public static IEnumerable<Entry> Children(int pid) => All().Where(entry => entry.Parent == pid);

    /// <summary>The process and everything below it.</summary>
    public static IReadOnlyList<Entry> Descendants(int pid)
    {
        var all = All();
        var found = new List<Entry>();
        var queue = new Queue<int>([pid]);
        while (queue.TryDequeue(out var next))
        {
            foreach (var child in all.Where(entry => entry.Parent == next))
            {
                found.Add(child);
                queue.Enqueue(child.Pid);
            }
        }

        return found;
    }

    /// <summary>The processes that have this variable in the environment that they were started with.</summary>
    public static IReadOnlyList<Entry> WithVariable(string name, string value) =>
    [
        .. All().Where(entry =>
        {
            try
            {
                return File.ReadAllText($"/proc/{entry.Pid}/environ").Split('\0').Contains($"{name}={value}", StringComparer.Ordinal);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                return false;
            }
        }),
    ];

    /// <summary>Ends processes that a test started, until there are none.</summary>
    public static Task EndAsync(Func<IReadOnlyList<Entry>> find) => Deadline.WaitAsync("what a test started has ended", () =>
    {
        var left = find();
        foreach (var entry in left)
        {
            try
            {
                using var process = Process.GetProcessById(entry.Pid);
                process.Kill();
            }
            catch (Exception exception) when (exception is ArgumentException or InvalidOperationException)
            {
                // It ended meanwhile.
            }
        }

        return Task.FromResult(left.Count == 0);
    });

    private static Entry? Read(int pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            var close = stat.LastIndexOf(')');
            var state = stat[close + 2];
            return state is 'Z' or 'X'
                ? null
                : new Entry(
                    pid,
                    int.Parse(stat[(close + 4)..].Split(' ')[0], CultureInfo.InvariantCulture),
                    stat[(stat.IndexOf('(', StringComparison.Ordinal) + 1)..close],
                    File.ReadAllText($"/proc/{pid}/cmdline").Replace('\0', ' '));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
