namespace Flurrty.AppHost;

/// <summary>Where this topology keeps its data: <c>.data</c> beside the solution, or <c>Data:Directory</c>.</summary>
internal sealed class DataDirectory : IDisposable
{
    // Held until the process ends: two topologies in one directory would share databases.
    private readonly FileStream _lock;

    private DataDirectory(string root, string repository)
    {
        Root = root;
        Repository = repository;
        _ = Directory.CreateDirectory(root, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        try
        {
            _lock = new FileStream(Below("lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException exception)
        {
            throw new InvalidOperationException($"Another topology runs with the data in {root}. Stop it first, or use another checkout.", exception);
        }
    }

    public string Root { get; }

    /// <summary>The checkout, where the start scripts lie.</summary>
    public string Repository { get; }

    public static DataDirectory Of(IDistributedApplicationBuilder builder)
    {
        var repository = Path.GetFullPath(Path.Combine(builder.AppHostDirectory, ".."));
        return new DataDirectory(Path.GetFullPath(builder.Configuration["Data:Directory"] ?? Path.Combine(repository, ".data")), repository);
    }

    public void Dispose() => _lock.Dispose();

    public string Below(string name) => Path.Combine(Root, name);
}
