namespace Flurrty.Topology.Tests;

/// <summary>A directory for whatever a test starts, removed with all that is in it.</summary>
internal sealed class TemporaryDirectory : IAsyncDisposable
{
    // PostgreSQL runs as a user of its own when started by root.
    private const UnixFileMode Passable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly DirectoryInfo _directory;

    public TemporaryDirectory(string prefix)
    {
        _directory = Directory.CreateTempSubdirectory(prefix);
        File.SetUnixFileMode(_directory.FullName, Passable);
    }

    public string Path => _directory.FullName;

    public string Name => _directory.Name;

    public DirectoryInfo Create(string name) => Directory.CreateDirectory(System.IO.Path.Combine(Path, name), Passable);

    /// <summary>To be called when nothing that writes there runs any more; the last one may still be about to end.</summary>
    public async ValueTask DisposeAsync() => await Deadline.WaitAsync($"{Path} is removed", () => Task.FromResult(IsRemoved()));

    private bool IsRemoved()
    {
        try
        {
            _directory.Delete(recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // Something below it was removed meanwhile.
        }
        catch (IOException)
        {
            // Something was written meanwhile.
        }

        return !Directory.Exists(Path);
    }
}
