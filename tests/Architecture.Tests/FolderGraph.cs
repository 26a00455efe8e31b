namespace Flurrty.Architecture.Tests;

/// <summary>Which folders of a project use which, read from its compiled code: by what is really used, not by what a file imports.</summary>
internal sealed class FolderGraph
{
    /// <summary>The files at the top of a project. They put the folders together, and no folder knows them.</summary>
    public const string Top = "(top)";

    private readonly SortedDictionary<string, SortedDictionary<string, string>> _uses = new(StringComparer.Ordinal);

    private FolderGraph()
    {
    }

    /// <summary>The graphs of a project: one of its folders, and one of the folders within each that has some.</summary>
    /// <param name="types">The types of the project.</param>
    /// <param name="root">Its root namespace.</param>
    public static IEnumerable<FolderGraph> Of(IReadOnlyCollection<Type> types, string root)
    {
        yield return Of(types, type => FolderBelow(root, type) ?? (IsAtTop(root, type) ? Top : null));
        foreach (var folder in types.SelectMany(type => FoldersTo(root, type)).Distinct(StringComparer.Ordinal))
        {
            // What lies in the folder itself may put its subfolders together and may be used by them: to others they are one.
            yield return Of(types, type => FolderBelow(folder, type));
        }
    }

    /// <summary>Folders that use each other, in a row that ends where it begins, with the types by which they do.</summary>
    public IEnumerable<string> Circles()
    {
        foreach (var from in _uses.Keys)
        {
            if (PathBack(from) is { } path)
            {
                yield return string.Join(", ", path.Zip(path.Skip(1), (a, b) => $"{a} -> {b} ({_uses[a][b]})"));
            }
        }
    }

    private static FolderGraph Of(IReadOnlyCollection<Type> types, Func<Type, string?> folderOf)
    {
        var graph = new FolderGraph();
        foreach (var type in types.Where(type => !type.IsNested))
        {
            if (folderOf(type) is not { } from)
            {
                continue;
            }

            foreach (var used in Dependencies.Of(type).Where(used => used.Assembly == type.Assembly))
            {
                if (folderOf(used) is { } to && to != from)
                {
                    if (!graph._uses.TryGetValue(from, out var uses))
                    {
                        graph._uses[from] = uses = new SortedDictionary<string, string>(StringComparer.Ordinal);
                    }

                    uses.TryAdd(to, $"{type.Name} uses {used.Name}");
                }
            }
        }

        return graph;
    }

    /// <summary>The namespaces from below the root down to the type's.</summary>
    private static IEnumerable<string> FoldersTo(string root, Type type)
    {
        for (var name = type.Namespace ?? ""; name.StartsWith(root + ".", StringComparison.Ordinal); name = name[..name.LastIndexOf('.')])
        {
            yield return name;
        }
    }

    /// <summary>What the compiler makes has no namespace either and belongs to nobody.</summary>
    private static bool IsAtTop(string root, Type type) => type.Namespace == root || type is { Namespace: null, Name: "Program" };

    private static string? FolderBelow(string folder, Type type) =>
        type.Namespace?.StartsWith(folder + ".", StringComparison.Ordinal) == true ? type.Namespace[(folder.Length + 1)..].Split('.')[0] : null;

    /// <summary>The shortest way from a folder back to itself; null when there is none.</summary>
    private List<string>? PathBack(string start)
    {
        var before = new Dictionary<string, string>(StringComparer.Ordinal);
        var next = new Queue<string>([start]);
        while (next.TryDequeue(out var folder))
        {
            foreach (var used in _uses.TryGetValue(folder, out var uses) ? uses.Keys.ToArray() : [])
            {
                if (used == start)
                {
                    List<string> path = [start];
                    for (var step = folder; step != start; step = before[step])
                    {
                        path.Insert(0, step);
                    }

                    path.Insert(0, start);
                    return path;
                }

                if (before.TryAdd(used, folder))
                {
                    next.Enqueue(used);
                }
            }
        }

        return null;
    }
}
