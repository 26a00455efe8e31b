using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Flurrty.ImagingChild;

/// <summary>
/// What the service asks of the child for one photo: a fixed header of little-endian numbers, followed by the file's bytes.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ImagingRequest(
    int FileBytes, int LongestSide, int ThumbnailSide, int Quality, int ShortestSideAccepted, long MaxPixels, long MaxLayeredPixels)
{
    public const int HeaderBytes = 40;

    public void Write(Span<byte> header)
    {
        BinaryPrimitives.WriteInt32LittleEndian(header, FileBytes);
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], LongestSide);
        BinaryPrimitives.WriteInt32LittleEndian(header[8..], ThumbnailSide);
        BinaryPrimitives.WriteInt32LittleEndian(header[12..], Quality);
        BinaryPrimitives.WriteInt32LittleEndian(header[16..], ShortestSideAccepted);
        BinaryPrimitives.WriteInt32LittleEndian(header[20..], 0);
        BinaryPrimitives.WriteInt64LittleEndian(header[24..], MaxPixels);
        BinaryPrimitives.WriteInt64LittleEndian(header[32..], MaxLayeredPixels);
    }

    public static ImagingRequest Read(ReadOnlySpan<byte> header) => new(
        BinaryPrimitives.ReadInt32LittleEndian(header),
        BinaryPrimitives.ReadInt32LittleEndian(header[4..]),
        BinaryPrimitives.ReadInt32LittleEndian(header[8..]),
        BinaryPrimitives.ReadInt32LittleEndian(header[12..]),
        BinaryPrimitives.ReadInt32LittleEndian(header[16..]),
        BinaryPrimitives.ReadInt64LittleEndian(header[24..]),
        BinaryPrimitives.ReadInt64LittleEndian(header[32..]));
}

/// <summary>
/// What the child answers: a fixed header, followed by the photo and the thumbnail, or by the reason of a refusal in UTF-8.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ImagingResponse(
    PhotoRefusal Refusal, PhotoFormat Format, int Width, int Height, int SourceWidth, int SourceHeight, int PhotoBytes, int ThumbnailBytes, PhotoMeasures? Measures)
{
    public const int HeaderBytes = 28 + PhotoMeasures.Bytes;

    /// <summary>The longest reason a child may give; it goes to the log only.</summary>
    public const int MaxReasonBytes = 512;

    /// <summary>What a child writes first, when it is ready: a mark and the version of its libvips.</summary>
    public const uint Hello = 0x31494C46;

    public void Write(Span<byte> header)
    {
        header[0] = (byte)Refusal;
        header[1] = (byte)Format;
        header[2] = 0;
        header[3] = 0;
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], Width);
        BinaryPrimitives.WriteInt32LittleEndian(header[8..], Height);
        BinaryPrimitives.WriteInt32LittleEndian(header[12..], SourceWidth);
        BinaryPrimitives.WriteInt32LittleEndian(header[16..], SourceHeight);
        BinaryPrimitives.WriteInt32LittleEndian(header[20..], PhotoBytes);
        BinaryPrimitives.WriteInt32LittleEndian(header[24..], ThumbnailBytes);
        header.Slice(28, PhotoMeasures.Bytes).Clear();
        Measures?.Write(header[28..]);
    }

    public static ImagingResponse Read(ReadOnlySpan<byte> header) => new(
        (PhotoRefusal)header[0],
        (PhotoFormat)header[1],
        BinaryPrimitives.ReadInt32LittleEndian(header[4..]),
        BinaryPrimitives.ReadInt32LittleEndian(header[8..]),
        BinaryPrimitives.ReadInt32LittleEndian(header[12..]),
        BinaryPrimitives.ReadInt32LittleEndian(header[16..]),
        BinaryPrimitives.ReadInt32LittleEndian(header[20..]),
        BinaryPrimitives.ReadInt32LittleEndian(header[24..]),
        PhotoMeasures.Read(header[28..]));
}
