using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Flurrty.UploadService.Imaging;

/// <summary>How closely a child is shut in.</summary>
internal enum Confinement
{
    /// <summary>Own namespaces and an unprivileged user that is not ours.</summary>
    OwnUser,

    /// <summary>Own namespaces; a user namespace gives the other user.</summary>
    UserNamespace,

    /// <summary>Limits and no new privileges only: this system denies namespaces.</summary>
    None,
}

/// <summary>The command line of an imaging child.</summary>
internal sealed class ChildCommand
{
    private const string Nobody = "65534";

    private readonly ImagingOptions _options;
    private readonly string? _library;
    private readonly string _dotnet;
    private readonly string _application;

    public ChildCommand(ImagingOptions options, string? library)
    {
        _options = options;
        _library = library;
        _application = AppContext.BaseDirectory.TrimEnd('/');

        // …/shared/Microsoft.NETCore.App/10.0.x/ belongs to the dotnet of this very process.
        _dotnet = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
    }

    /// <summary>What may be tried here, the closest first.</summary>
    public static IEnumerable<Confinement> Candidates()
    {
        if (Environment.IsPrivilegedProcess)
        {
            yield return Confinement.OwnUser;
        }

        yield return Confinement.UserNamespace;
        yield return Confinement.None;
    }

    public ProcessStartInfo For(Confinement confinement)
    {
        var start = new ProcessStartInfo("/usr/bin/prlimit")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = "/",
        };
        start.Environment.Clear();

        // At 32 descriptors the runtime dies when it compiles again after some seconds of idleness.
        Add(start, $"--data={_options.ChildMemory.ToString(CultureInfo.InvariantCulture)}", "--nofile=64", "--core=0", "--");
        if (confinement == Confinement.None)
        {
            foreach (var (name, value) in Variables(_library))
            {
                start.Environment[name] = value;
            }

            Add(start, "/usr/bin/setpriv", "--no-new-privs", Path.Combine(_dotnet, "dotnet"), Path.Combine(_application, "Flurrty.ImagingChild.dll"));
            return start;
        }

        AddSandbox(start, confinement);
        return start;
    }

    private void AddSandbox(ProcessStartInfo start, Confinement confinement)
    {
        Add(start, _options.SandboxProgram);
        if (confinement == Confinement.OwnUser)
        {
            // Root needs no user namespace; the capabilities that change the user are dropped with it.
            Add(start, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try");
            Add(start, "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP");
        }
        else
        {
            Add(start, "--unshare-all", "--uid", Nobody, "--gid", Nobody, "--cap-drop", "ALL");
        }

        Add(start, "--die-with-parent", "--new-session", "--clearenv");

        // Parents of bind mounts are closed to others unless they are made first.
        foreach (var parent in new[] { "/usr", "/usr/bin", "/etc", "/app", "/vips" })
        {
            Add(start, "--perms", "0755", "--dir", parent);
        }

        Add(start, "--ro-bind", "/usr/lib", "/usr/lib", "--ro-bind-try", "/usr/lib64", "/usr/lib64");
        Add(start, "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64");
        Add(start, "--ro-bind-try", "/etc/alternatives", "/etc/alternatives", "--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache");
        Add(start, "--ro-bind", "/usr/bin/setpriv", "/usr/bin/setpriv", "--ro-bind", _dotnet, "/dotnet");
        foreach (var file in new[] { "Flurrty.ImagingChild.dll", "Flurrty.ImagingChild.runtimeconfig.json" })
        {
            Add(start, "--ro-bind", Path.Combine(_application, file), $"/app/{file}");
        }

        if (_library is not null)
        {
            Add(start, "--ro-bind", _library, $"/vips/{Path.GetFileName(_library)}");
        }

        Add(start, "--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/");
        foreach (var (name, value) in Variables(_library is null ? null : $"/vips/{Path.GetFileName(_library)}"))
        {
            Add(start, "--setenv", name, value);
        }

        Add(start, "--", "/usr/bin/setpriv", "--no-new-privs");
        if (confinement == Confinement.OwnUser)
        {
            Add(start, "--reuid", Nobody, "--regid", Nobody, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all");
        }

        Add(start, "/dotnet/dotnet", "/app/Flurrty.ImagingChild.dll");
    }

    private static IEnumerable<(string Name, string Value)> Variables(string? library)
    {
        yield return ("DOTNET_EnableDiagnostics", "0");
        yield return ("DOTNET_GCHeapHardLimit", "0x4000000");

        // One photo's measures are little: a small nursery costs nothing and keeps pages from being touched.
        yield return ("DOTNET_GCgen0size", "0x100000");
        yield return ("DOTNET_TieredPGO", "0");

        // Pixel buffers are reused from the heap instead of being mapped and unmapped for every photo.
        yield return ("MALLOC_MMAP_THRESHOLD_", "67108864");
        yield return ("MALLOC_TRIM_THRESHOLD_", "268435456");
        yield return ("MALLOC_ARENA_MAX", "1");
        yield return ("VIPS_WARNING", "1");
        if (library is not null)
        {
            yield return ("FLURRTY_LIBVIPS", library);
        }
    }

    private static void Add(ProcessStartInfo start, params ReadOnlySpan<string> arguments)
    {
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }
    }
}
