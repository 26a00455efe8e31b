using System.Diagnostics;
using System.Globalization;
using Flurrty.ImagingChild;
using Flurrty.UploadService.Imaging;

namespace Flurrty.UploadService.Tests.Fixtures;

/// <summary>Pictures made by seed, so that every run sees the same bytes.</summary>
internal static class TestPhotos
{
    private static readonly System.Collections.Concurrent.ConcurrentDictionary<string, Lazy<byte[]>> HeifFiles = new(StringComparer.Ordinal);
    private static readonly Lock Gate = new();
    private static bool _loaded;

    public static byte[] Jpeg(int width, int height, int seed, int quality = 85, string options = "") =>
        Save(width, height, seed, "jpegsave_buffer", $"Q={quality}{Comma(options)}");

    public static byte[] Png(int width, int height, int seed, string options = "") => Save(width, height, seed, "pngsave_buffer", $"compression=1{Comma(options)}");

    public static byte[] Webp(int width, int height, int seed) => Save(width, height, seed, "webpsave_buffer", "Q=85,effort=0");

    /// <summary>A photo as phones send it, by the encoder of Debian's libheif-examples.</summary>
    public static byte[] Heif(string format, int width, int height, int seed, params string[] options)
    {
        var made = HeifFiles.GetOrAdd($"{format} {width} {height} {seed} {string.Join(' ', options)}", _ => new Lazy<byte[]>(() => EncodeHeif(format, Jpeg(width, height, seed, quality: 95), options)));
        return [.. made.Value];
    }

    /// <summary>Encodes a JPEG or PNG as HEIC or AVIF.</summary>
    public static byte[] EncodeHeif(string format, byte[] picture, params string[] options)
    {
        var directory = Directory.CreateTempSubdirectory("flurrty-heif-");
        try
        {
            var source = Path.Combine(directory.FullName, PhotoSignature.Sniff(picture) == PhotoFormat.Png ? "photo.png" : "photo.jpg");
            var target = Path.Combine(directory.FullName, $"photo.{format}");
            File.WriteAllBytes(source, picture);
            _ = Run("heif-enc", ["-q", "60", .. format == "avif" ? (string[])["-A", "-p", "speed=9"] : ["-p", "preset=ultrafast"], .. options, source, "-o", target]);
            return File.ReadAllBytes(target);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    /// <summary>Writes metadata into a JPEG with exiftool.</summary>
    public static byte[] WithMetadata(byte[] photo, params string[] tags) => WithMetadataOf(photo, "jpg", tags);

    /// <summary>Writes metadata into a picture with exiftool, which goes by the ending of the name.</summary>
    public static byte[] WithMetadataOf(byte[] photo, string ending, params string[] tags)
    {
        var directory = Directory.CreateTempSubdirectory("flurrty-exif-");
        try
        {
            var file = Path.Combine(directory.FullName, $"photo.{ending}");
            File.WriteAllBytes(file, photo);
            _ = Run("exiftool", [.. tags, "-overwrite_original", file]);
            return File.ReadAllBytes(file);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    /// <summary>What exiftool finds in a picture, one <c>[group] tag: value</c> a line.</summary>
    public static string[] ReadMetadata(byte[] photo)
    {
        var directory = Directory.CreateTempSubdirectory("flurrty-exif-");
        try
        {
            var file = Path.Combine(directory.FullName, "photo.jpg");
            File.WriteAllBytes(file, photo);
            return Run("exiftool", ["-a", "-G1", "-s", "-u", file]).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    /// <summary>Opens a JPEG or PNG in this process.</summary>
    public static T Decode<T>(byte[] photo, Func<VipsImage, T> look) => Opened(photo, image =>
    {
        using var memory = image.CopyToMemory();
        return look(memory);
    });

    /// <summary>Writes a JPEG or PNG anew, such as with <c>jpegsave_buffer</c> and <c>Q=30</c>.</summary>
    public static byte[] Resave(byte[] photo, string saver, string options) => Opened(photo, image =>
    {
        using var saved = image.Save(saver, options);
        return saved.Span.ToArray();
    });

    /// <summary>Runs an operation of libvips and writes the result.</summary>
    public static byte[] Changed(byte[] photo, string operation, string options, string saver, string saveOptions) => Opened(photo, image =>
    {
        using var changed = image.Apply(operation, options);
        using var saved = changed.Save(saver, saveOptions);
        return saved.Span.ToArray();
    });

    public static bool LooksLikeJpeg(ReadOnlySpan<byte> bytes) => PhotoSignature.Sniff(bytes) == PhotoFormat.Jpeg && bytes.EndsWith((ReadOnlySpan<byte>)[0xFF, 0xD9]);

    public static string Run(string program, string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} ended with {process.ExitCode}: {error.Result}{output}");
        return output;
    }

    private static byte[] Save(int width, int height, int seed, string saver, string options)
    {
        EnsureLoaded();
        using var noise = Generate("gaussnoise", string.Create(CultureInfo.InvariantCulture, $"mean=128,sigma=50,seed={seed}"), Math.Max(2, width / 16), Math.Max(2, height / 16));
        using var sized = noise.Apply(
            "resize", $"scale={VipsImage.Number((double)width / noise.Width)},vscale={VipsImage.Number((double)height / noise.Height)}");
        using var bytewise = sized.Apply("cast", "format=uchar");
        using var coloured = bytewise.Apply("colourspace", "space=srgb,source_space=b-w");
        using var saved = coloured.Save(saver, options);
        return saved.Span.ToArray();
    }

    private static unsafe T Opened<T>(byte[] photo, Func<VipsImage, T> use)
    {
        EnsureLoaded();
        fixed (byte* bytes = photo)
        {
            using var image = VipsImage.Load(PhotoSignature.Sniff(photo) == PhotoFormat.Png ? "pngload_buffer" : "jpegload_buffer", (nint)bytes, photo.Length, "");
            return use(image);
        }
    }

    private static VipsImage Generate(string name, string options, int width, int height)
    {
        using var operation = new VipsOperation(name);
        operation.Build(string.Create(CultureInfo.InvariantCulture, $"width={width},height={height},{options}"));
        return operation.GetImage("out");
    }

    private static void EnsureLoaded()
    {
        lock (Gate)
        {
            if (!_loaded)
            {
                _ = VipsLibrary.Load(VipsLocation.Find("", AppContext.BaseDirectory));
                _loaded = true;
            }
        }
    }

    private static string Comma(string options) => options.Length == 0 ? "" : $",{options}";
}
