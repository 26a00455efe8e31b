using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.IO.Compression;
using System.Text;
using Flurrty.UploadService.Tests.Fixtures;

namespace Flurrty.UploadService.Tests.Hostile;

/// <summary>A file that nobody sends by accident, made by code and seed, and what must become of it.</summary>
/// <param name="Name">Names the case; it is also the name that the file is sent under.</param>
/// <param name="Code">The problem's code; empty where the file is odd but good, and is to be normalised.</param>
/// <param name="Twin">The kind of the clean file that must be taken right after it.</param>
/// <param name="Make">Makes the bytes.</param>
internal sealed record HostileFile(string Name, string Code, string Twin, Func<byte[]> Make);

/// <summary>The catalogue.</summary>
internal static class HostileFiles
{
    private const string NotAnImage = "photo_not_an_image";
    private const string Unsupported = "photo_format_unsupported";
    private const string Truncated = "photo_truncated";
    private const string Unreadable = "photo_unreadable";
    private const string TooManyPixels = "photo_too_many_pixels";
    private const string TooSmall = "photo_too_small";
    private const string Animated = "photo_animated";
    private const string Good = "";

    private static readonly ConcurrentDictionary<string, Lazy<byte[]>> Twins = new(StringComparer.Ordinal);

    public static IReadOnlyList<HostileFile> All { get; } =
    [
        // Nothing, or something else altogether.
        new("empty", NotAnImage, "jpeg", static () => []),
        new("one byte", NotAnImage, "jpeg", static () => [0xFF]),
        new("a megabyte of zeros", NotAnImage, "jpeg", static () => new byte[1_000_000]),
        new("a megabyte of noise", NotAnImage, "jpeg", static () => Noise(1_000_000, 1)),
        new("plain text", NotAnImage, "jpeg", static () => "not a photo"u8.ToArray()),
        new("web page", NotAnImage, "jpeg", static () => "<!DOCTYPE html><script>alert(1)</script>"u8.ToArray()),
        new("shell script", NotAnImage, "jpeg", static () => "#!/bin/sh\nrm -rf /\n"u8.ToArray()),
        new("PHP", NotAnImage, "jpeg", static () => "<?php system($_GET['c']); ?>"u8.ToArray()),
        new("ELF program", NotAnImage, "jpeg", static () => [0x7F, .. "ELF"u8, 2, 1, 1, .. new byte[500]]),
        new("zip", NotAnImage, "jpeg", static () => Zip()),
        new("PDF with a JPEG in it", NotAnImage, "jpeg", static () => [.. "%PDF-1.7\n"u8, .. Jpeg()]),
        new("JPEG after a line feed", NotAnImage, "jpeg", static () => [0x0A, .. Jpeg()]),
        new("SVG", NotAnImage, "png", static () => "<svg xmlns=\"http://www.w3.org/2000/svg\"/>"u8.ToArray()),
        new("SVG with a script and a file", NotAnImage, "png", static () => "<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"><script>1</script><image href=\"file:///etc/passwd\"/></svg>"u8.ToArray()),
        new("XML entity bomb", NotAnImage, "png", static () => Encoding.ASCII.GetBytes(EntityBomb)),
        new("ImageMagick script", NotAnImage, "png", static () => "push graphic-context\nimage over 0,0 0,0 'url(https://example.org/x)'\n"u8.ToArray()),
        new("PostScript", NotAnImage, "png", static () => "%!PS-Adobe-3.0 EPSF-3.0\n"u8.ToArray()),
        new("MP4", NotAnImage, "heic", static () => [.. HeifFile.Box("ftyp", [.. "isom"u8, 0, 0, 2, 0, .. "isomiso2"u8]), .. HeifFile.Box("mdat", new byte[500])]),

        // Pictures of other kinds.
        new("GIF", Unsupported, "png", static () => Gif(1)),
        new("GIF with thirty frames", Unsupported, "png", static () => Gif(30)),
        new("GIF that is a JAR as well", Unsupported, "png", static () => [.. Gif(1), .. Zip()]),
        new("TIFF", Unsupported, "png", static () => Tiff(1)),
        new("TIFF with fifty pages", Unsupported, "png", static () => Tiff(50)),
        new("TIFF whose directory points at itself", Unsupported, "png", static () => [.. "II*\0"u8, 8, 0, 0, 0, 0, 0, 8, 0, 0, 0]),
        new("BMP", Unsupported, "png", static () => [.. "BM"u8, 0x7A, 0, 0, 0, 0, 0, 0, 0, 0x36, 0, 0, 0, .. new byte[200]]),
        new("Photoshop", Unsupported, "png", static () => [.. "8BPS"u8, 0, 1, .. new byte[200]]),
        new("JPEG 2000", Unsupported, "jpeg", static () => [0, 0, 0, 12, .. "jP  "u8, 0x0D, 0x0A, 0x87, 0x0A, .. new byte[200]]),
        new("JPEG XL", Unsupported, "jpeg", static () => [0xFF, 0x0A, .. new byte[200]]),

        // JPEG.
        new("JPEG, half of it", Truncated, "jpeg", static () => Half(Jpeg())),
        new("JPEG, its first four bytes", Truncated, "jpeg", static () => Jpeg()[..4]),
        new("JPEG without its last segment's end", Truncated, "jpeg", static () => [0xFF, 0xD8, 0xFF, 0xE0, 0xFF, 0xFF, 1, 2]),
        new("JPEG declared 65500 by 65500", TooManyPixels, "jpeg", static () => JpegDeclared(65500, 65500)),
        new("JPEG of 36 real megapixels, progressive", TooManyPixels, "jpeg", static () => TestPhotos.Jpeg(6000, 6000, 20, options: "interlace=true")),
        new("JPEG of 62 real megapixels", TooManyPixels, "jpeg", static () => TestPhotos.Jpeg(7900, 7900, 21)),
        // The decoder would paint over what is missing or damaged.
        new("JPEG declared higher than it is", Truncated, "jpeg", static () => JpegDeclared(640, 1000)),
        new("JPEG with bad codes", Truncated, "jpeg", static () => WithBadCodes(Jpeg())),
        new("JPEG without its last rows", Truncated, "jpeg", static () => WithoutLastRestarts(TestPhotos.Jpeg(640, 480, 28, options: "restart_interval=10"), 3)),
        new("JPEG without its last rows, and with an end", Truncated, "jpeg", static () => [.. WithoutLastRestarts(TestPhotos.Jpeg(640, 480, 28, options: "restart_interval=10"), 3), 0xFF, 0xD9]),
        new("JPEG without its end and the eight bytes before", Truncated, "jpeg", static () => Jpeg()[..^10]),
        new("JPEG, progressive, without its last scan", Truncated, "jpeg", static () => WithoutLastScan(TestPhotos.Jpeg(640, 480, 27, options: "interlace=true"))),
        new("JPEG whose restarts are out of order", Unreadable, "jpeg", static () => WithWrongRestart(TestPhotos.Jpeg(640, 480, 28, options: "restart_interval=10"))),
        new("JPEG without height", Unreadable, "jpeg", static () => JpegDeclared(640, 0)),
        new("JPEG of a lossless kind", Unreadable, "jpeg", static () => Patched(Jpeg(), FrameOf(Jpeg()) + 1, 0xC3)),
        new("JPEG with twelve bits", Unreadable, "jpeg", static () => Patched(Jpeg(), FrameOf(Jpeg()) + 4, 12)),
        new("JPEG with 255 components", Unreadable, "jpeg", static () => Patched(Jpeg(), FrameOf(Jpeg()) + 9, 255)),
        new("JPEG without tables", Unreadable, "jpeg", static () => WithoutSegments(Jpeg(), 0xDB)),
        new("JPEG of 32 by 32", TooSmall, "jpeg", static () => TestPhotos.Jpeg(32, 32, 22)),

        // PNG.
        new("PNG, half of it", Truncated, "png", static () => Half(Png())),
        new("PNG, its signature alone", Truncated, "png", static () => Png()[..8]),
        new("PNG with a chunk of four gigabytes", Truncated, "png", static () => [.. Png()[..33], 0xFF, 0xFF, 0xFF, 0xFF, .. "IDAT"u8, .. Noise(100, 2)]),
        new("PNG declared 60000 by 60000", TooManyPixels, "png", static () => Picture.Png(60000, 60000, 8, 2, new byte[60000])),
        new("PNG of 64 real megapixels in 8 kB", TooManyPixels, "png", static () => Picture.Png(8000, 8000, 1, 0, new byte[1000 * 8000])),
        new("PNG without width", Unreadable, "png", static () => Picture.Png(0, 100, 8, 2, new byte[100])),
        new("PNG with an impossible colour type", Unreadable, "png", static () => Picture.Png(100, 100, 8, 5, new byte[30000])),
        new("PNG with damaged pixels", Unreadable, "png", static () => Damaged(Png())),
        new("PNG with a wrong checksum", Unreadable, "png", static () => Patched(Png(), Png().Length - 13, 0x55, flip: true)),
        new("PNG of 1 by 10000", TooSmall, "png", static () => Picture.Png(1, 10000, 8, 2, new byte[30000])),
        new("PNG of 10000 by 1", TooSmall, "png", static () => Picture.Png(10000, 1, 8, 2, new byte[30000])),
        new("PNG of 63 by 63", TooSmall, "png", static () => Picture.Png(63, 63, 8, 2, new byte[63 * 63 * 3])),
        new("PNG, animated", Animated, "png", static () => Inserted(Png(), Picture.Chunk("acTL", [0, 0, 0, 9, 0, 0, 0, 0]))),

        // WebP.
        new("WebP, half of it", Truncated, "webp", static () => Half(TestPhotos.Webp(640, 480, 23))),
        new("WebP, its first 16 bytes", Truncated, "webp", static () => TestPhotos.Webp(640, 480, 23)[..16]),
        new("WebP that says it has four gigabytes", Truncated, "webp", static () => Patched(TestPhotos.Webp(640, 480, 23), 7, 0xFF)),
        new("WebP of 16384 by 16384 in 50 bytes", TooManyPixels, "webp", static () => WebpLossless(16384, 16384)),
        new("WebP with a canvas of 16 million squared", TooManyPixels, "webp", static () => WebpExtended(0x00, 0xFFFFFF)),
        new("WebP, animated", Animated, "webp", static () => WebpExtended(0x02, 99)),
        new("WebP without size", Unreadable, "webp", static () => [.. "RIFF"u8, 30, 0, 0, 0, .. "WEBPVP8 "u8, 18, 0, 0, 0, 0x10, 2, 0, 0x9D, 1, 0x2A, .. new byte[12]]),

        // HEIC and AVIF.
        new("HEIC, half of it", Truncated, "heic", static () => Half(Heic())),
        new("HEIC, its brands alone", Truncated, "heic", static () => Heic()[..20]),
        new("HEIC without items", Unreadable, "heic", static () => [.. HeifFile.Box("ftyp", [.. "heic"u8, 0, 0, 0, 0, .. "mif1"u8]), .. HeifFile.Box("mdat", new byte[100])]),
        new("HEIC declared 30000 by 30000", TooManyPixels, "heic", static () => HeifFile.Write(1, [Coded("heic") with { Width = 30000, Height = 30000 }])),
        new("HEIC whose grid names a large tile a thousand times", TooManyPixels, "heic", static () => HeifFile.Write(
            2, [Coded("heic") with { Width = 4000, Height = 4000 }, HeifFile.Grid(2, 25, 40, 4000, 4000, [.. Enumerable.Repeat(1u, 1000)])])),
        new("HEIC of 9 megapixels declared as 320 by 240", Unreadable, "heic", static () => HeifFile.Write(
            1, [HeifFile.CodedOf(TestPhotos.Heif("heic", 3600, 2500, 24), 1, 320, 240)])),
        new("HEIC derived from itself", Unsupported, "heic", static () => HeifFile.Write(1, [new HeifItem(1, "iden", [], 640, 480) { Parts = [1] }])),
        new("HEIC whose grid is its own tile", Unreadable, "heic", static () => HeifFile.Write(1, [HeifFile.Grid(1, 1, 1, 640, 480, [1])])),
        new("HEIC with two thousand items", Unreadable, "heic", static () => HeifFile.Write(1, [.. Enumerable.Range(1, 2000).Select(id => Coded("heic") with { Id = (uint)id, Data = [1] })])),
        new("HEIC with a box that ends before it begins", Unreadable, "heic", static () => [.. HeifFile.Box("ftyp", [.. "heic"u8, 0, 0, 0, 0, .. "mif1"u8]), .. HeifFile.Box("meta", [0, 0, 0, 0, 0, 0, 0, 4, .. "pitm"u8, .. new byte[50]])]),
        new("HEIC whose pixels are noise", Unreadable, "heic", static () => HeifFile.Write(1, [Coded("heic") with { Data = Noise(5000, 3) }])),
        new("HEIC that holds a JPEG", Unsupported, "heic", static () => HeifFile.Write(1, [new HeifItem(1, "jpeg", Jpeg(), 640, 480)], "mif1")),
        new("HEIC, a sequence", Animated, "heic", static () => HeifFile.Write(1, [Coded("heic")], "msf1")),
        new("HEIC with a film", Animated, "heic", static () => [.. HeifFile.Write(1, [Coded("heic")]), .. HeifFile.Box("moov", new byte[40])]),
        new("HEIC of 32 by 32", TooSmall, "heic", static () => TestPhotos.Heif("heic", 32, 32, 25)),
        new("AVIF, half of it", Truncated, "avif", static () => Half(TestPhotos.Heif("avif", 640, 480, 26))),
        new("AVIF, a sequence", Animated, "avif", static () => HeifFile.Write(1, [Coded("avif")], "avis")),
        new("AVIF declared 30000 by 30000", TooManyPixels, "avif", static () => HeifFile.Write(1, [Coded("avif") with { Width = 30000, Height = 30000 }], "avif")),
        new("AVIF whose pixels are noise", Unreadable, "avif", static () => HeifFile.Write(1, [Coded("avif") with { Data = Noise(5000, 4) }], "avif")),

        // Odd, but photos: taken, and nothing of the oddity stays.
        new("JPEG that is a zip as well", Good, "jpeg", static () => [.. Jpeg(), .. Zip()]),
        new("JPEG with PHP in a comment", Good, "jpeg", static () => WithSegment(Jpeg(), 0xFE, "<?php system($_GET['c']); ?>"u8)),
        new("JPEG with ten thousand comments", Good, "jpeg", static () => WithSegments(Jpeg(), 0xFE, 10_000)),
        new("JPEG whose EXIF points at itself", Good, "jpeg", static () => WithSegment(Jpeg(), 0xE1, LoopingExif())),
        new("JPEG with XMP nested ten thousand deep", Good, "jpeg", static () => WithSegment(Jpeg(), 0xE1, NestedXmp())),
        new("JPEG whose ICC profile says it has four gigabytes", Good, "jpeg", static () => WithSegment(Jpeg(), 0xE2, IccProfile(uint.MaxValue, 1))),
        new("JPEG whose ICC profile says it has four billion tags", Good, "jpeg", static () => WithSegment(Jpeg(), 0xE2, IccProfile(200, uint.MaxValue))),
        new("JPEG, the 200th part of 255 of an ICC profile", Good, "jpeg", static () => WithSegment(Jpeg(), 0xE2, [.. "ICC_PROFILE\0"u8, 200, 255, .. new byte[100]])),
        new("JPEG with twenty bytes too many before its end", Good, "jpeg", static () => [.. Jpeg()[..^2], .. new byte[20], 0xFF, 0xD9]),
        new("JPEG without its end marker", Good, "jpeg", static () => Jpeg()[..^2]),
        new("JPEG without the last byte of its end marker", Good, "jpeg", static () => Jpeg()[..^1]),
        new("JPEG, progressive, without its end marker", Good, "jpeg", static () => TestPhotos.Jpeg(640, 480, 27, options: "interlace=true")[..^2]),
        new("JPEG with restarts, without its end marker", Good, "jpeg", static () => TestPhotos.Jpeg(640, 480, 28, options: "restart_interval=10")[..^2]),
        new("JPEG, progressive", Good, "jpeg", static () => TestPhotos.Jpeg(640, 480, 27, options: "interlace=true")),
        new("JPEG in CMYK", Good, "jpeg", static () => TestPhotos.Changed(Jpeg(), "colourspace", "space=cmyk", "jpegsave_buffer", "Q=90")),
        new("JPEG in grey", Good, "jpeg", static () => TestPhotos.Changed(Jpeg(), "colourspace", "space=b-w", "jpegsave_buffer", "Q=90")),
        new("PNG in grey", Good, "png", static () => Picture.Png(200, 150, 8, 0, Noise(200 * 150, 5))),
        new("PNG in grey with alpha", Good, "png", static () => Picture.Png(200, 150, 8, 4, Noise(200 * 150 * 2, 6))),
        new("PNG with alpha", Good, "png", static () => Picture.Png(200, 150, 8, 6, Noise(200 * 150 * 4, 7))),
        new("PNG with 16 bits", Good, "png", static () => Picture.Png(200, 150, 16, 2, Noise(200 * 150 * 6, 8))),
        new("PNG in grey with 16 bits", Good, "png", static () => Picture.Png(200, 150, 16, 0, Noise(200 * 150 * 2, 9))),
        new("PNG with alpha and 16 bits", Good, "png", static () => Picture.Png(200, 150, 16, 6, Noise(200 * 150 * 8, 10))),
        new("PNG in black and white", Good, "png", static () => Picture.Png(200, 160, 1, 0, Noise(25 * 160, 11))),
        new("PNG with a palette", Good, "png", static () => Picture.Png(200, 150, 8, 3, [.. Noise(200 * 150, 12).Select(static value => (byte)(value & 15))], ("PLTE", Noise(48, 13)))),
        new("PNG of 64 by 10000", Good, "png", static () => Picture.Png(64, 10000, 8, 2, Noise(64 * 10000 * 3, 14))),
        new("PNG of 64 by 64", Good, "png", static () => Picture.Png(64, 64, 8, 2, Noise(64 * 64 * 3, 15))),
        new("PNG whose text inflates to 100 MB", Good, "png", static () => Inserted(Png(), Picture.Chunk("zTXt", [.. "c\0\0"u8, .. Picture.Deflate(new byte[100_000_000])]))),
        new("PNG whose ICC profile inflates to 100 MB", Good, "png", static () => Inserted(Png(), Picture.Chunk("iCCP", [.. "c\0\0"u8, .. Picture.Deflate(new byte[100_000_000])]))),
        new("HEIC with ten bits", Good, "heic", static () => TestPhotos.EncodeHeif("heic", Picture.Png(200, 150, 16, 2, Noise(200 * 150 * 6, 16)), "-b", "10")),
        new("AVIF with alpha", Good, "avif", static () => TestPhotos.EncodeHeif("avif", Picture.Png(200, 150, 8, 6, Noise(200 * 150 * 4, 17)))),
        new("AVIF whose brand says image only", Good, "avif", static () => HeifFile.Write(1, [Coded("avif")], "mif1", "avif")),
    ];

    /// <summary>A clean file of this kind.</summary>
    public static byte[] Twin(string kind) => Twins.GetOrAdd(kind, static kind => new Lazy<byte[]>(() => kind switch
    {
        "jpeg" => TestPhotos.Jpeg(640, 480, 900),
        "png" => TestPhotos.Png(640, 480, 901),
        "webp" => TestPhotos.Webp(640, 480, 902),
        _ => TestPhotos.Heif(kind, 640, 480, 903),
    })).Value;

    private const string EntityBomb =
        "<?xml version=\"1.0\"?><!DOCTYPE l [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]><svg><text>&c;</text></svg>";

    private static byte[] Jpeg() => TestPhotos.Jpeg(640, 480, 904);

    private static byte[] Png() => TestPhotos.Png(640, 480, 905);

    private static byte[] Heic() => TestPhotos.Heif("heic", 640, 480, 906);

    private static HeifItem Coded(string format) => HeifFile.CodedOf(TestPhotos.Heif(format, 640, 480, 907), 1, 640, 480);

    private static byte[] Half(byte[] file) => file[..(file.Length / 2)];

    private static byte[] Noise(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static byte[] Patched(byte[] file, int at, byte value, bool flip = false)
    {
        var copy = file.ToArray();
        copy[at] = flip ? (byte)(copy[at] ^ value) : value;
        return copy;
    }

    private static byte[] Damaged(byte[] png)
    {
        var copy = png.ToArray();
        copy.AsSpan(copy.Length / 2, 500).Clear();
        return copy;
    }

    /// <summary>After the header chunk.</summary>
    private static byte[] Inserted(byte[] png, byte[] chunk) => [.. png[..33], .. chunk, .. png[33..]];

    /// <summary>Where the frame header of a baseline JPEG is.</summary>
    private static int FrameOf(byte[] jpeg) => jpeg.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xC0]);

    // Sixteen ones are no code of any table; a byte of ones is followed by a zero so that it is no marker.
    private static byte[] WithBadCodes(byte[] jpeg)
    {
        var copy = jpeg.ToArray();
        for (var at = copy.Length / 2; at < (copy.Length / 2) + 100; at += 2)
        {
            (copy[at], copy[at + 1]) = (0xFF, 0x00);
        }

        return copy;
    }

    /// <summary>Ends where one of the last restart markers was.</summary>
    private static byte[] WithoutLastRestarts(byte[] jpeg, int count)
    {
        var end = jpeg.Length;
        for (; count > 0; count--)
        {
            end = LastMarker(jpeg.AsSpan(0, end), 0xD0, 0xD7);
        }

        return jpeg[..end];
    }

    /// <summary>Ends where the tables of the last scan begin.</summary>
    private static byte[] WithoutLastScan(byte[] jpeg)
    {
        var end = LastMarker(jpeg, 0xDA, 0xDA);
        var tables = LastMarker(jpeg.AsSpan(0, end), 0xC4, 0xC4);
        return jpeg[..(tables + 2 + BinaryPrimitives.ReadUInt16BigEndian(jpeg.AsSpan(tables + 2)) == end ? tables : end)];
    }

    private static int LastMarker(ReadOnlySpan<byte> jpeg, byte first, byte last)
    {
        var at = jpeg.Length - 2;
        while (jpeg[at] != 0xFF || jpeg[at + 1] < first || jpeg[at + 1] > last)
        {
            at--;
        }

        return at;
    }

    private static byte[] WithWrongRestart(byte[] jpeg) => Patched(jpeg, jpeg.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xD2]) + 1, 0xD6);

    private static byte[] JpegDeclared(ushort width, ushort height)
    {
        var jpeg = Jpeg();
        BinaryPrimitives.WriteUInt16BigEndian(jpeg.AsSpan(FrameOf(jpeg) + 5), height);
        BinaryPrimitives.WriteUInt16BigEndian(jpeg.AsSpan(FrameOf(jpeg) + 7), width);
        return jpeg;
    }

    private static byte[] WithSegment(byte[] jpeg, byte marker, ReadOnlySpan<byte> body)
    {
        var length = body.Length + 2;
        return [0xFF, 0xD8, 0xFF, marker, (byte)(length >> 8), (byte)length, .. body, .. jpeg[2..]];
    }

    private static byte[] WithSegments(byte[] jpeg, byte marker, int count) =>
        [0xFF, 0xD8, .. Enumerable.Range(0, count).SelectMany(number => (byte[])[0xFF, marker, 0, 4, (byte)(number >> 8), (byte)number]), .. jpeg[2..]];

    private static byte[] WithoutSegments(byte[] jpeg, byte marker)
    {
        var result = new List<byte>([0xFF, 0xD8]);
        var at = 2;
        while (jpeg[at + 1] != 0xDA)
        {
            var length = 2 + BinaryPrimitives.ReadUInt16BigEndian(jpeg.AsSpan(at + 2));
            if (jpeg[at + 1] != marker)
            {
                result.AddRange(jpeg[at..(at + length)]);
            }

            at += length;
        }

        return [.. result, .. jpeg[at..]];
    }

    // One directory whose sub-directory and whose next directory are itself.
    private static byte[] LoopingExif() => [.. "Exif\0\0II*\0"u8, 8, 0, 0, 0, 1, 0, 0x69, 0x87, 4, 0, 1, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0];

    private static byte[] NestedXmp() => [.. "http://ns.adobe.com/xap/1.0/\0"u8, .. Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("<a>", 10_000)))];

    private static byte[] IccProfile(uint size, uint tags)
    {
        var profile = new byte[200];
        BinaryPrimitives.WriteUInt32BigEndian(profile, size);
        "mntrRGB XYZ "u8.CopyTo(profile.AsSpan(12));
        "acsp"u8.CopyTo(profile.AsSpan(36));
        BinaryPrimitives.WriteUInt32BigEndian(profile.AsSpan(128), tags);
        return [.. "ICC_PROFILE\0"u8, 1, 1, .. profile];
    }

    private static byte[] Zip()
    {
        using var target = new MemoryStream();
        using (var archive = new ZipArchive(target, ZipArchiveMode.Create, leaveOpen: true))
        {
            using var entry = archive.CreateEntry("META-INF/MANIFEST.MF").Open();
            entry.Write("Manifest-Version: 1.0\n"u8);
        }

        return target.ToArray();
    }

    private static byte[] Gif(int frames) =>
    [
        .. "GIF89a"u8, 100, 0, 100, 0, 0x80, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF,
        .. Enumerable.Range(0, frames).SelectMany(static _ => (byte[])[0x2C, 0, 0, 0, 0, 100, 0, 100, 0, 0, 2, 2, 0x4C, 1, 0]), 0x3B,
    ];

    private static byte[] Tiff(int pages)
    {
        var file = new List<byte>([.. "II*\0"u8, 8, 0, 0, 0]);
        for (var page = 0; page < pages; page++)
        {
            var next = page + 1 < pages ? file.Count + 18 : 0;
            file.AddRange([1, 0, 0, 1, 3, 0, 1, 0, 0, 0, 100, 0, 0, 0, (byte)next, (byte)(next >> 8), 0, 0]);
        }

        return [.. file];
    }

    private static byte[] WebpLossless(int width, int height)
    {
        var bits = (uint)(width - 1) | ((uint)(height - 1) << 14);
        byte[] body = [0x2F, (byte)bits, (byte)(bits >> 8), (byte)(bits >> 16), (byte)(bits >> 24), .. new byte[25]];
        return [.. "RIFF"u8, (byte)(body.Length + 12), 0, 0, 0, .. "WEBPVP8L"u8, (byte)body.Length, 0, 0, 0, .. body];
    }

    private static byte[] WebpExtended(byte flags, int side) =>
        [.. "RIFF"u8, 22, 0, 0, 0, .. "WEBPVP8X"u8, 10, 0, 0, 0, flags, 0, 0, 0, (byte)side, (byte)(side >> 8), (byte)(side >> 16), (byte)side, (byte)(side >> 8), (byte)(side >> 16)];
}
