using System.Globalization;
using Flurrty.ImagingChild;
using Flurrty.UploadService.Imaging;
using Flurrty.UploadService.Tests.Fixtures;
using Microsoft.Extensions.Hosting;

namespace Flurrty.UploadService.Tests.Imaging;

public sealed class ImagingPoolTests
{
    private const int Kill = 9;
    private const int Stop = 19;

    [Theory]
    [InlineData("jpeg", 4000, 3000, 1536, 1152)]
    [InlineData("jpeg", 3000, 4000, 1152, 1536)]
    [InlineData("jpeg", 640, 480, 640, 480)]
    [InlineData("png", 2000, 1000, 1536, 768)]
    [InlineData("webp", 1999, 1333, 1536, 1024)]
    public async Task Photo_OfEachFormat_IsShrunkToTheLongestSide(string format, int width, int height, int expectedWidth, int expectedHeight)
    {
        using var pool = await StartAsync();
        using var result = await NormalizeAsync(pool, format switch
        {
            "jpeg" => TestPhotos.Jpeg(width, height, 5),
            "png" => TestPhotos.Png(width, height, 5),
            _ => TestPhotos.Webp(width, height, 5),
        });
        Assert.Equal(PhotoRefusal.None, result.Refusal);
        Assert.Equal((expectedWidth, expectedHeight, width, height), (result.Width, result.Height, result.SourceWidth, result.SourceHeight));
        var seen = string.Join('\n', TestPhotos.ReadMetadata(result.Photo.ToArray()));
        Assert.Contains($"{expectedWidth}x{expectedHeight}", seen, StringComparison.Ordinal);
        Assert.Contains("YCbCr4:2:0", seen, StringComparison.Ordinal);
        Assert.Contains("Baseline DCT", seen, StringComparison.Ordinal);
        Assert.Contains("200x200", string.Join('\n', TestPhotos.ReadMetadata(result.Thumbnail.ToArray())), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Photo_TurnedByItsMetadata_IsStoredUpright()
    {
        using var pool = await StartAsync();
        var photo = TestPhotos.Jpeg(800, 600, 6);
        using var straight = await NormalizeAsync(pool, photo);
        using var turned = await NormalizeAsync(pool, TestPhotos.WithMetadata(photo, "-Orientation#=6"));
        Assert.Equal((800, 600), (straight.Width, straight.Height));
        Assert.Equal((600, 800), (turned.Width, turned.Height));
    }

    [Fact]
    public async Task SamePhoto_Twice_GivesTheSameBytes()
    {
        using var pool = await StartAsync();
        var photo = TestPhotos.Jpeg(2000, 1500, 7);
        using var first = await NormalizeAsync(pool, photo);
        using var second = await NormalizeAsync(pool, photo);
        Assert.True(first.Photo.Span.SequenceEqual(second.Photo.Span));
        Assert.True(first.Thumbnail.Span.SequenceEqual(second.Thumbnail.Span));
    }

    [Theory]
    [InlineData("")]
    [InlineData("interlace=true")]
    [InlineData("restart_interval=10")]
    public async Task Jpeg_WithoutItsEndMarker_GivesTheSameBytesAsWithIt(string options)
    {
        using var pool = await StartAsync();
        var photo = TestPhotos.Jpeg(2000, 1500, 19, options: options);
        Assert.Equal([0xFF, 0xD9], photo[^2..]);
        using var whole = await NormalizeAsync(pool, photo);
        using var endless = await NormalizeAsync(pool, photo[..^2]);
        Assert.Equal((PhotoRefusal.None, PhotoRefusal.None), (whole.Refusal, endless.Refusal));
        Assert.True(whole.Photo.Span.SequenceEqual(endless.Photo.Span));
    }

    /// <summary>However little is missing: what the decoder would paint over is never taken for a photo.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("interlace=true")]
    [InlineData("restart_interval=10")]
    public async Task Jpeg_WithoutItsLastPixels_IsTruncated(string options)
    {
        using var pool = await StartAsync();
        var photo = TestPhotos.Jpeg(640, 480, 19, options: options);
        foreach (var missing in (int[])[4, 5, 8, 16, 100, photo.Length / 10, photo.Length / 3, photo.Length * 2 / 3, photo.Length * 9 / 10])
        {
            using var result = await NormalizeAsync(pool, photo[..^missing]);
            Assert.True(result.Refusal == PhotoRefusal.Truncated, $"{missing} of {photo.Length} bytes missing: {result.Refusal}");
        }
    }

    [Theory]
    [MemberData(nameof(RefusedFiles))]
    public async Task File_ThatIsNoGoodPhoto_IsRefusedAndTheNextAccepted(string name, int refusal)
    {
        using var pool = await StartAsync();
        using var refused = await NormalizeAsync(pool, FilesByName[name]());
        Assert.Equal((PhotoRefusal)refusal, refused.Refusal);
        using var next = await NormalizeAsync(pool, TestPhotos.Jpeg(640, 480, 8));
        Assert.Equal(PhotoRefusal.None, next.Refusal);
    }

    public static TheoryData<string, int> RefusedFiles => new()
    {
        { "text", (int)PhotoRefusal.NotAnImage },
        { "empty", (int)PhotoRefusal.NotAnImage },
        { "zip", (int)PhotoRefusal.NotAnImage },
        { "svg", (int)PhotoRefusal.NotAnImage },
        { "gif", (int)PhotoRefusal.UnsupportedFormat },
        { "truncated jpeg", (int)PhotoRefusal.Truncated },
        { "truncated png", (int)PhotoRefusal.Truncated },
        { "truncated webp", (int)PhotoRefusal.Truncated },
        { "jpeg head only", (int)PhotoRefusal.Truncated },
        { "png declared huge", (int)PhotoRefusal.TooManyPixels },
        { "progressive 36 megapixels", (int)PhotoRefusal.TooManyPixels },
        { "damaged png", (int)PhotoRefusal.Unreadable },
        { "tiny", (int)PhotoRefusal.TooSmall },
    };

    [Fact]
    public async Task BaselineJpeg_OfMoreThanTheLayeredLimit_IsAccepted()
    {
        using var pool = await StartAsync();
        using var result = await NormalizeAsync(pool, TestPhotos.Jpeg(6000, 6000, 9));
        Assert.Equal(PhotoRefusal.None, result.Refusal);
    }

    [Theory]
    [InlineData("jpeg")]
    [InlineData("heic")]
    [InlineData("avif")]
    public async Task Child_SeenFromOutside_IsShutIn(string format)
    {
        using var pool = await StartAsync();
        Assert.NotEqual(Confinement.None, pool.Confinement);
        var usual = Assert.Single(pool.ProcessIds);
        using var result = await NormalizeAsync(pool, format == "jpeg" ? TestPhotos.Jpeg(640, 480, 10) : TestPhotos.Heif(format, 640, 480, 10));
        Assert.Equal(PhotoRefusal.None, result.Refusal);
        var child = Pools.LeafOf(format == "jpeg" ? usual : Assert.Single(pool.ProcessIds, process => process != usual));
        var proc = $"/proc/{child}";

        Assert.Contains("Flurrty.ImagingChild.dll", await File.ReadAllTextAsync($"{proc}/cmdline"), StringComparison.Ordinal);
        foreach (var kind in new[] { "net", "pid", "mnt", "ipc", "uts" })
        {
            Assert.NotEqual(LinkTargets.Read($"/proc/self/ns/{kind}"), LinkTargets.Read($"{proc}/ns/{kind}"));
        }

        var status = (await File.ReadAllLinesAsync($"{proc}/status")).Select(line => line.Split(':', 2)).ToDictionary(line => line[0], line => line[1].Trim(), StringComparer.Ordinal);
        Assert.Equal("1", status["NoNewPrivs"]);
        Assert.Equal("0000000000000000", status["CapEff"]);
        Assert.Equal("0000000000000000", status["CapPrm"]);
        Assert.Equal("2", status["Seccomp"]);
        if (Environment.IsPrivilegedProcess)
        {
            Assert.Equal("65534\t65534\t65534\t65534", status["Uid"]);
            Assert.Equal("", status["Groups"]);
        }

        var limits = (await File.ReadAllLinesAsync($"{proc}/limits")).ToDictionary(
            line => line[..25].Trim(), line => line[25..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0], StringComparer.Ordinal);
        Assert.Equal("536870912", limits["Max data size"]);
        Assert.Equal("64", limits["Max open files"]);
        Assert.Equal("0", limits["Max core file size"]);

        var environment = (await File.ReadAllTextAsync($"{proc}/environ")).Split('\0', StringSplitOptions.RemoveEmptyEntries).Select(pair => pair.Split('=')[0]).Order(StringComparer.Ordinal);
        Assert.Subset(
            new HashSet<string>(StringComparer.Ordinal)
            {
                "DOTNET_EnableDiagnostics", "DOTNET_GCHeapHardLimit", "DOTNET_GCgen0size", "DOTNET_TieredPGO", "FLURRTY_LIBVIPS", "MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_",
                "MALLOC_TRIM_THRESHOLD_", "PWD", "VIPS_WARNING",
            },
            environment.ToHashSet(StringComparer.Ordinal));

        // A decoder that starts a thread for each processor would fill the memory with their stacks.
        Assert.InRange(int.Parse(status["Threads"], CultureInfo.InvariantCulture), 1, 16);
        foreach (var mount in await File.ReadAllLinesAsync($"{proc}/mountinfo"))
        {
            var fields = mount.Split(' ');
            Assert.True(
                fields[5].Split(',').Contains("ro", StringComparer.Ordinal) || fields[4] is "/proc" or "/dev/pts" || fields[4].StartsWith("/dev/", StringComparison.Ordinal),
                $"writable: {mount}");
        }

        Assert.Equal(["lo"], (await File.ReadAllLinesAsync($"{proc}/net/dev")).Skip(2).Select(line => line.Split(':')[0].Trim()));
        foreach (var descriptor in Directory.EnumerateFileSystemEntries($"{proc}/fd"))
        {
            var target = LinkTargets.Read(descriptor);
            Assert.True(
                // The runtime's own: it maps compiled code twice.
                target.StartsWith("/memfd:doublemapper", StringComparison.Ordinal) || target.StartsWith("pipe:", StringComparison.Ordinal) || target.StartsWith("anon_inode:", StringComparison.Ordinal) || target.StartsWith("/dev/", StringComparison.Ordinal)
                || target.StartsWith("/app/", StringComparison.Ordinal) || target.StartsWith("/dotnet/", StringComparison.Ordinal) || target.StartsWith("/proc/", StringComparison.Ordinal)
                || target.StartsWith("/sys/", StringComparison.Ordinal),
                $"{descriptor} is {target}");
        }
    }

    [Fact]
    public async Task Descriptor_OpenInTheService_IsNotInheritedByAChild()
    {
        // The positive first: without closing on exec, this very descriptor reaches a child process.
        using var leak = new InheritableFile();
        Assert.Contains(leak.Path, TestPhotos.Run("/bin/ls", ["-l", "/proc/self/fd"]), StringComparison.Ordinal);
        using var pool = await StartAsync();
        var outer = Assert.Single(pool.ProcessIds);
        foreach (var process in (int[])[outer, Pools.LeafOf(outer)])
        {
            Assert.DoesNotContain(leak.Path, Directory.EnumerateFileSystemEntries($"/proc/{process}/fd").Select(LinkTargets.Read));
        }
    }

    [Fact]
    public async Task Child_KilledAtWork_CostsItsPhotoOnly()
    {
        using var pool = await StartAsync();
        var child = Pools.LeafOf(Assert.Single(pool.ProcessIds));
        Assert.Equal(0, Native.Kill(child, Stop));
        var hit = NormalizeAsync(pool, TestPhotos.Jpeg(4000, 3000, 11));
        await Task.Delay(200);
        Assert.False(hit.IsCompleted);
        Assert.Equal(0, Native.Kill(child, Kill));
        using var lost = await hit;
        Assert.Equal(PhotoRefusal.Unreadable, lost.Refusal);
        using var next = await NormalizeAsync(pool, TestPhotos.Jpeg(640, 480, 12));
        Assert.Equal(PhotoRefusal.None, next.Refusal);
    }

    [Fact]
    public async Task Child_KilledBetweenPhotos_IsReplaced()
    {
        using var pool = await StartAsync();
        using var before = await NormalizeAsync(pool, TestPhotos.Jpeg(640, 480, 13));
        var outer = Assert.Single(pool.ProcessIds);
        Assert.Equal(0, Native.Kill(Pools.LeafOf(outer), Kill));
        await Eventually.TrueAsync(() => Task.FromResult((StateOf(outer) is "gone" or "Z", $"process {outer} is {StateOf(outer)}")));
        using var after = await NormalizeAsync(pool, TestPhotos.Jpeg(640, 480, 13));
        Assert.Equal(PhotoRefusal.None, after.Refusal);
        Assert.True(before.Photo.Span.SequenceEqual(after.Photo.Span));
    }

    [Fact]
    public async Task Child_ThatHangs_IsKilledAfterTheTimeout()
    {
        using var pool = await StartAsync(options => options.PhotoTimeout = TimeSpan.FromSeconds(5));
        var child = Pools.LeafOf(Assert.Single(pool.ProcessIds));
        Assert.Equal(0, Native.Kill(child, Stop));
        using var hung = await NormalizeAsync(pool, TestPhotos.Jpeg(640, 480, 14));
        Assert.Equal(PhotoRefusal.Unreadable, hung.Refusal);
        await Eventually.TrueAsync(() => Task.FromResult((!Directory.Exists($"/proc/{child}"), $"process {child} lives")));
        using var next = await NormalizeAsync(pool, TestPhotos.Jpeg(640, 480, 14));
        Assert.Equal(PhotoRefusal.None, next.Refusal);
    }

    [Fact]
    public async Task Child_AfterItsShareOfPhotos_IsReplaced()
    {
        using var pool = await StartAsync(options => options.PhotosPerChild = 3);
        var seen = new HashSet<int>();
        for (var photo = 0; photo < 7; photo++)
        {
            _ = seen.Add(Assert.Single(pool.ProcessIds));
            using var result = await NormalizeAsync(pool, TestPhotos.Jpeg(640, 480, 15));
            Assert.Equal(PhotoRefusal.None, result.Refusal);
            if (photo % 3 == 2)
            {
                var old = seen.Last();
                await Eventually.TrueAsync(() => Task.FromResult((pool.ProcessIds is [var now] && now != old, $"{string.Join(',', pool.ProcessIds)}")));
            }
        }

        Assert.Equal(3, seen.Count);
    }

    [Fact]
    public async Task Children_WhenThePoolIsDisposed_AreGone()
    {
        int[] processes;
        using (var pool = await StartAsync(options => options.Children = 2))
        {
            await Eventually.TrueAsync(() => Task.FromResult((pool.ProcessIds.Count == 2, $"{pool.ProcessIds.Count}")));
            processes = [.. pool.ProcessIds, .. pool.ProcessIds.Select(Pools.LeafOf)];
        }

        await Eventually.TrueAsync(() => Task.FromResult((!processes.Any(process => Directory.Exists($"/proc/{process}")), string.Join(',', processes))));
    }

    [Fact]
    public async Task Service_WhereNamespacesAreDenied_StartsInDevelopmentOnly()
    {
        static void Deny(ImagingOptions options) => options.SandboxProgram = "/bin/false";
        var problem = await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync(Deny, Environments.Production));
        Assert.Contains("Imaging:AllowUnconfined", problem.Message, StringComparison.Ordinal);
        using var pool = await StartAsync(Deny, Environments.Development);
        Assert.Equal(Confinement.None, pool.Confinement);
        using var result = await NormalizeAsync(pool, TestPhotos.Jpeg(640, 480, 16));
        Assert.Equal(PhotoRefusal.None, result.Refusal);
    }

    /// <summary>With fewer descriptors the runtime died when it had been idle for ten seconds and compiled again.</summary>
    [Fact]
    public async Task Child_IdleForLong_StillServes()
    {
        using var pool = await StartAsync();
        using var before = await NormalizeAsync(pool, TestPhotos.Jpeg(640, 480, 18));
        var child = Assert.Single(pool.ProcessIds);

        // Idleness itself is what is tried, so this one waits.
        await Task.Delay(TimeSpan.FromSeconds(13));
        Assert.Equal("S", StateOf(child));
        using var after = await NormalizeAsync(pool, TestPhotos.Jpeg(640, 480, 18));
        Assert.Equal(PhotoRefusal.None, after.Refusal);
        Assert.Equal(child, Assert.Single(pool.ProcessIds));
    }

    [FactWithSystemVips]
    public async Task Photo_WithTheSystemsLibvips_IsNormalisedToo()
    {
        using var pool = await StartAsync(options => options.LibraryPath = ImagingOptions.SystemLibrary);
        using var result = await NormalizeAsync(pool, TestPhotos.Jpeg(4000, 3000, 17));
        Assert.Equal((PhotoRefusal.None, 1536, 1152), (result.Refusal, result.Width, result.Height));
        Assert.DoesNotContain(TestPhotos.ReadMetadata(result.Photo.ToArray()), line => line.StartsWith("[ICC", StringComparison.Ordinal));
    }

    private static Dictionary<string, Func<byte[]>> FilesByName { get; } = new(StringComparer.Ordinal)
    {
        ["text"] = () => "this is not a photo"u8.ToArray(),
        ["empty"] = () => [],
        ["zip"] = () => [.. "PK\u0003\u0004"u8, .. new byte[100]],
        ["svg"] = () => "<svg xmlns=\"http://www.w3.org/2000/svg\"/>"u8.ToArray(),
        ["gif"] = () => [.. "GIF89a"u8, .. new byte[100]],
        ["truncated jpeg"] = () => Half(TestPhotos.Jpeg(2000, 1500, 20)),
        ["truncated png"] = () => Half(TestPhotos.Png(1000, 800, 20)),
        ["truncated webp"] = () => Half(TestPhotos.Webp(1000, 800, 20)),
        ["jpeg head only"] = () => [0xFF, 0xD8, 0xFF, 0xE0],
        ["png declared huge"] = () =>
        {
            var png = TestPhotos.Png(1000, 800, 20);
            png[18] = 0x40;
            png[22] = 0x40;
            return png;
        },
        ["progressive 36 megapixels"] = () => TestPhotos.Jpeg(6000, 6000, 20, options: "interlace=true"),
        ["damaged png"] = () =>
        {
            var png = TestPhotos.Png(1000, 800, 20);
            png.AsSpan(png.Length / 2, 1000).Clear();
            return png;
        },
        ["tiny"] = () => TestPhotos.Png(32, 32, 20),
    };

    private static byte[] Half(byte[] file) => file[..(file.Length / 2)];

    private static Task<ImagingPool> StartAsync(Action<ImagingOptions>? change = null, string? environment = null) => Pools.StartAsync(change, environment);

    private static Task<ImagingResult> NormalizeAsync(ImagingPool pool, byte[] file) => pool.NormalizeAsync(file);

    private static string StateOf(int process)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{process}/stat");
            return stat[(stat.LastIndexOf(')') + 2)..][..1];
        }
        catch (IOException)
        {
            return "gone";
        }
    }
}
