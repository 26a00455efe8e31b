using System.Globalization;
using Flurrty.UploadService.Imaging;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Flurrty.UploadService.Tests.Fixtures;

/// <summary>The service's imaging without the service.</summary>
internal static class Pools
{
    // The longest that the options take.
    public static readonly TimeSpan PhotoTimeout = TimeSpan.FromMinutes(2);
    public static readonly TimeSpan StartTimeout = TimeSpan.FromMinutes(2);

    /// <summary>Starts a pool of one child, unless told otherwise, and waits for it.</summary>
    public static async Task<ImagingPool> StartAsync(Action<ImagingOptions>? change = null, string? environment = null)
    {
        var options = new ImagingOptions { Children = 1, PhotoTimeout = PhotoTimeout, StartTimeout = StartTimeout };
        change?.Invoke(options);
        var pool = new ImagingPool(
            Options.Create(options), new HostingEnvironment { EnvironmentName = environment ?? Environments.Production }, TimeProvider.System, NullLogger<ImagingPool>.Instance);
        try
        {
            await pool.StartAsync(CancellationToken.None);
            await Eventually.TrueAsync(() => Task.FromResult((pool.ProcessIds.Count == options.Children, $"{pool.ProcessIds.Count} children")));
            return pool;
        }
        catch
        {
            pool.Dispose();
            throw;
        }
    }

    public static async Task<ImagingResult> NormalizeAsync(this ImagingPool pool, byte[] file)
    {
        using var spool = new PhotoSpool();
        spool.Append(file);
        return await pool.NormalizeAsync(spool, CancellationToken.None);
    }

    /// <summary>The innermost process of a sandbox.</summary>
    public static int LeafOf(int process)
    {
        var children = File.ReadAllText($"/proc/{process}/task/{process}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return children is [] ? process : LeafOf(int.Parse(children[0], CultureInfo.InvariantCulture));
    }
}
