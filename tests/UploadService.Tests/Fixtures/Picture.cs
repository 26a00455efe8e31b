using System.Buffers.Binary;
using System.IO.Compression;

namespace Flurrty.UploadService.Tests.Fixtures;

/// <summary>A picture as plain numbers: made, spoiled by seed, and written as PNG.</summary>
internal sealed class Picture(int width, int height, byte[] pixels)
{
    public int Width => width;

    public int Height => height;

    /// <summary>RGB, row by row.</summary>
    public byte[] Pixels => pixels;

    public static Picture Of(byte[] jpeg) => TestPhotos.Decode(jpeg, static image => new Picture(image.Width, image.Height, image.Pixels().ToArray()));

    /// <summary>Three running means in a row, which are a Gaussian but for its tails.</summary>
    public Picture Blurred(double sigma)
    {
        var side = Math.Max(1, (int)Math.Round(Math.Sqrt((4 * sigma * sigma) + 1), MidpointRounding.AwayFromZero)) | 1;
        var result = this;
        for (var pass = 0; pass < 3; pass++)
        {
            result = result.Smeared(side, across: true).Smeared(side, across: false);
        }

        return result;
    }

    /// <summary>A camera that moved while the shutter was open.</summary>
    public Picture Shaken(int length) => Smeared(length | 1, across: true);

    public Picture Noisy(double sigma, int seed)
    {
        var random = new Random(seed);
        var result = new byte[pixels.Length];
        for (var at = 0; at < result.Length; at += 3)
        {
            var noise = sigma * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            for (var band = 0; band < 3; band++)
            {
                result[at + band] = Clip(pixels[at + band] + noise);
            }
        }

        return new Picture(width, height, result);
    }

    public Picture Lighter(double gain) => new(width, height, [.. pixels.Select(value => Clip(value * gain))]);

    /// <summary>Takes a part of each side away.</summary>
    public Picture Cropped(double part)
    {
        int left = (int)(width * part), top = (int)(height * part), across = width - (2 * left), down = height - (2 * top);
        var result = new byte[across * down * 3];
        for (var y = 0; y < down; y++)
        {
            pixels.AsSpan((((y + top) * width) + left) * 3, across * 3).CopyTo(result.AsSpan(y * across * 3));
        }

        return new Picture(across, down, result);
    }

    public Picture Halved()
    {
        int across = width / 2, down = height / 2;
        var result = new byte[across * down * 3];
        for (var at = 0; at < result.Length; at++)
        {
            var (pixel, band) = (at / 3, at % 3);
            var from = ((((pixel / across) * 2) * width) + ((pixel % across) * 2)) * 3;
            result[at] = (byte)((pixels[from + band] + pixels[from + 3 + band] + pixels[from + (width * 3) + band] + pixels[from + (width * 3) + 3 + band] + 2) / 4);
        }

        return new Picture(across, down, result);
    }

    public byte[] ToPng() => Png(width, height, 8, 2, pixels);

    /// <summary>Writes a PNG of any depth and colour type; the pixels are taken as they are, rows without gaps.</summary>
    public static byte[] Png(int width, int height, byte depth, byte colourType, byte[] pixels, params (string Type, byte[] Body)[] extra)
    {
        var row = pixels.Length / height;
        var filtered = new byte[(row + 1) * height];
        for (var y = 0; y < height; y++)
        {
            pixels.AsSpan(y * row, row).CopyTo(filtered.AsSpan((y * (row + 1)) + 1));
        }

        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9]) = (depth, colourType);
        return
        [
            0x89, .. "PNG\r\n"u8, 0x1A, 0x0A, .. Chunk("IHDR", header), .. extra.SelectMany(chunk => Chunk(chunk.Type, chunk.Body)),
            .. Chunk("IDAT", Deflate(filtered)), .. Chunk("IEND", []),
        ];
    }

    public static byte[] Chunk(string type, byte[] body)
    {
        var chunk = new byte[12 + body.Length];
        BinaryPrimitives.WriteInt32BigEndian(chunk, body.Length);
        System.Text.Encoding.ASCII.GetBytes(type, chunk.AsSpan(4));
        body.CopyTo(chunk, 8);
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(8 + body.Length), Checksum(chunk.AsSpan(4, 4 + body.Length)));
        return chunk;
    }

    public static byte[] Deflate(byte[] bytes)
    {
        using var target = new MemoryStream();
        using (var zlib = new ZLibStream(target, CompressionLevel.Fastest, leaveOpen: true))
        {
            zlib.Write(bytes);
        }

        return target.ToArray();
    }

    private static uint Checksum(ReadOnlySpan<byte> bytes) => (uint)UploadService.Storage.Crc32.Of(bytes);

    private Picture Smeared(int side, bool across)
    {
        var result = new byte[pixels.Length];
        var (lines, length, lineStep, step) = across ? (height, width, width * 3, 3) : (width, height, 3, width * 3);
        var reach = side / 2;
        for (var line = 0; line < lines; line++)
        {
            for (var band = 0; band < 3; band++)
            {
                var start = (line * lineStep) + band;
                var sum = 0;
                for (var at = -reach; at <= reach; at++)
                {
                    sum += pixels[start + (Math.Clamp(at, 0, length - 1) * step)];
                }

                for (var at = 0; at < length; at++)
                {
                    result[start + (at * step)] = (byte)((sum + reach) / side);
                    sum += pixels[start + (Math.Min(at + reach + 1, length - 1) * step)] - pixels[start + (Math.Max(at - reach, 0) * step)];
                }
            }
        }

        return new Picture(width, height, result);
    }

    private static byte Clip(double value) => (byte)Math.Clamp(Math.Round(value, MidpointRounding.AwayFromZero), 0, 255);
}
