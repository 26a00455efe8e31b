using System.Globalization;

namespace Flurrty.AppHost;

/// <summary>Where this topology keeps its data: <c>.data</c> beside the solution, or <c>Data:Directory</c>.</summary>
internal sealed class DataDirectory : IDisposable
{
    // Raised when what lies here is laid out in another way; an upgrade from the one before then belongs beside it.
    // What the servers and the schemas below look like is theirs to judge: eng/native and Migrations.
    private const int Format = 1;

    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Listed = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    // Held until the process ends: two topologies in one directory would share databases.
    private readonly FileStream _lock;

    private DataDirectory(string root, string repository, FileStream held)
    {
        Root = root;
        Repository = repository;
        _lock = held;
    }

    public string Root { get; }

    /// <summary>The checkout, where the start scripts lie.</summary>
    public string Repository { get; }

    /// <summary>Takes the directory for this process, or says why not and gives null.</summary>
    public static DataDirectory? Of(IDistributedApplicationBuilder builder)
    {
        var repository = Path.GetFullPath(Path.Combine(builder.AppHostDirectory, ".."));
        var root = Path.GetFullPath(builder.Configuration["Data:Directory"] ?? Path.Combine(repository, ".data"));
        FileStream held;
        try
        {
            // PostgreSQL passes through it as a user of its own when started by root; nobody else reads what lies there.
            _ = Directory.CreateDirectory(root, Owner | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
            Close(root, Listed);
            held = new FileStream(Path.Combine(root, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            return Refused($"Another topology runs with the data in {root}. Stop it first, or use another checkout.");
        }

        catch (UnauthorizedAccessException)
        {
            return Refused($"The data in {root} belongs to another user. Start as that one, or use another checkout.");
        }

        var stamp = Path.Combine(root, "format");

        // The commits before there was a stamp had the first format.
        var written = File.Exists(stamp) ? File.ReadAllText(stamp).Trim() : "1";
        if (!int.TryParse(written, NumberStyles.None, CultureInfo.InvariantCulture, out var format) || format is < 1 or > Format)
        {
            held.Dispose();
            return Refused(
                $"The data in {root} has the format '{written}', and this version knows none above {Format}: a later version made it. Go on with that version, or start anew by removing it with rm -rf '{root}'.");
        }

        File.WriteAllText(stamp, string.Create(CultureInfo.InvariantCulture, $"{Format}\n"));
        return new DataDirectory(root, repository, held);
    }

    public void Dispose() => _lock.Dispose();

    public string Below(string name) => Path.Combine(Root, name);

    /// <summary>A directory below this one that only its owner reads or passes through.</summary>
    public string PrivateBelow(string name)
    {
        var path = Below(name);
        _ = Directory.CreateDirectory(path, Owner);
        Close(path, ~Owner);
        return path;
    }

    // A version before this one left it open.
    private static void Close(string path, UnixFileMode modes)
    {
        var mode = File.GetUnixFileMode(path);
        if ((mode & modes) != UnixFileMode.None)
        {
            File.SetUnixFileMode(path, mode & ~modes);
        }
    }

    private static DataDirectory? Refused(string reason)
    {
        Console.Error.WriteLine(reason);
        return null;
    }
}
