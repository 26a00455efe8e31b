using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Flurrty.ImagingChild;

/// <summary>
/// What a file declares about itself, read without decoding it: a decoder is only ever given a size that was found acceptable.
/// </summary>
/// <param name="Width">Declared width, 0 where no frame header was found.</param>
/// <param name="Height">Declared height.</param>
/// <param name="Layered">Progressive or interlaced: the decoder holds the whole picture, so a lower limit of pixels applies.</param>
/// <param name="Animated">More than one frame.</param>
/// <param name="EndsEarly">The file stops before its own end marker.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct PhotoStructure(int Width, int Height, bool Layered, bool Animated, bool EndsEarly)
{
    /// <summary>What the container's items are coded in, where the signature alone does not tell; None elsewhere.</summary>
    public PhotoFormat Format { get; init; }

    /// <summary>A JPEG that stops before its end marker, within its last scan or after it: the decoder can tell whether all its pixels are there.</summary>
    public bool MayLackEndMarkerOnly { get; init; }

    /// <summary>The most pixels that any part declares, where there are parts.</summary>
    public long LargestPixels { get; init; }

    public long Pixels => Math.Max((long)Width * Height, LargestPixels);

    public static PhotoStructure Read(PhotoFormat format, ReadOnlySpan<byte> file) => format switch
    {
        PhotoFormat.Jpeg => ReadJpeg(file),
        PhotoFormat.Png => ReadPng(file),
        PhotoFormat.Webp => ReadWebp(file),
        PhotoFormat.Heic or PhotoFormat.Avif => HeifStructure.Read(file),
        _ => default,
    };

    private static PhotoStructure ReadJpeg(ReadOnlySpan<byte> file)
    {
        int width = 0, height = 0, frame = 0;
        var progressive = false;
        var at = 2;
        while (at + 4 <= file.Length)
        {
            if (file[at] != 0xFF)
            {
                // Decoders skip bytes between segments, so this does too.
                at++;
                continue;
            }

            var marker = file[at + 1];
            if (marker is 0xFF or 0x00 or 0x01 or (>= 0xD0 and <= 0xD8))
            {
                at += marker == 0xFF ? 1 : 2;
                continue;
            }

            if (marker == 0xD9)
            {
                return new PhotoStructure(width, height, progressive, Animated: false, EndsEarly: true);
            }

            var length = BinaryPrimitives.ReadUInt16BigEndian(file[(at + 2)..]);
            if (marker is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC) && at + 9 <= file.Length)
            {
                frame = at;
                progressive = marker != 0xC0 && marker != 0xC1;
                height = BinaryPrimitives.ReadUInt16BigEndian(file[(at + 5)..]);
                width = BinaryPrimitives.ReadUInt16BigEndian(file[(at + 7)..]);
            }

            if (marker == 0xDA)
            {
                var endsEarly = file[at..].LastIndexOf((ReadOnlySpan<byte>)[0xFF, 0xD9]) < 0;
                return new PhotoStructure(width, height, progressive, Animated: false, endsEarly) { MayLackEndMarkerOnly = endsEarly && JpegScans.AreAllBegun(file[frame..], at - frame) };
            }

            at += 2 + Math.Max((int)length, 2);
        }

        return new PhotoStructure(width, height, progressive, Animated: false, EndsEarly: true);
    }

    private static PhotoStructure ReadPng(ReadOnlySpan<byte> file)
    {
        int width = 0, height = 0;
        bool interlaced = false, animated = false, ended = false;
        long at = 8;
        while (at + 12 <= file.Length)
        {
            var chunk = file[(int)at..];
            var length = BinaryPrimitives.ReadUInt32BigEndian(chunk);
            var type = chunk.Slice(4, 4);
            if (type.SequenceEqual("IHDR"u8) && length >= 13 && chunk.Length >= 21)
            {
                width = ClampToInt(BinaryPrimitives.ReadUInt32BigEndian(chunk[8..]));
                height = ClampToInt(BinaryPrimitives.ReadUInt32BigEndian(chunk[12..]));
                interlaced = chunk[20] != 0;
            }
            else if (type.SequenceEqual("acTL"u8))
            {
                animated = true;
            }
            else if (type.SequenceEqual("IEND"u8))
            {
                ended = true;
                break;
            }

            at += 12L + length;
        }

        return new PhotoStructure(width, height, interlaced, animated, !ended);
    }

    private static PhotoStructure ReadWebp(ReadOnlySpan<byte> file)
    {
        if (file.Length < 30)
        {
            return new PhotoStructure(0, 0, Layered: true, Animated: false, EndsEarly: true);
        }

        var declared = 8L + BinaryPrimitives.ReadUInt32LittleEndian(file[4..]);
        var endsEarly = file.Length < declared;
        var chunk = file.Slice(12, 4);
        if (chunk.SequenceEqual("VP8X"u8))
        {
            var animated = (file[20] & 0x02) != 0;
            return new PhotoStructure(1 + ReadUInt24(file[24..]), 1 + ReadUInt24(file[27..]), Layered: true, animated, endsEarly);
        }

        if (chunk.SequenceEqual("VP8 "u8))
        {
            var width = BinaryPrimitives.ReadUInt16LittleEndian(file[26..]) & 0x3FFF;
            var height = BinaryPrimitives.ReadUInt16LittleEndian(file[28..]) & 0x3FFF;
            return new PhotoStructure(width, height, Layered: true, Animated: false, endsEarly);
        }

        if (chunk.SequenceEqual("VP8L"u8) && file[20] == 0x2F)
        {
            var bits = BinaryPrimitives.ReadUInt32LittleEndian(file[21..]);
            return new PhotoStructure((int)(bits & 0x3FFF) + 1, (int)((bits >> 14) & 0x3FFF) + 1, Layered: true, Animated: false, endsEarly);
        }

        return new PhotoStructure(0, 0, Layered: true, Animated: false, endsEarly);
    }

    private static int ReadUInt24(ReadOnlySpan<byte> at) => at[0] | (at[1] << 8) | (at[2] << 16);

    private static int ClampToInt(uint value) => (int)Math.Min(value, int.MaxValue);
}
