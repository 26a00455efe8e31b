namespace Flurrty.ImagingChild;

/// <summary>What the first bytes of a file say it is.</summary>
internal enum PhotoFormat : byte
{
    None = 0,
    Jpeg = 1,
    Png = 2,
    Webp = 3,
    Heic = 4,
    Avif = 5,

    /// <summary>A picture of a kind that is not taken: GIF, TIFF, BMP, JPEG XL and so on.</summary>
    OtherPicture = 255,
}

internal static class PhotoSignature
{
    /// <summary>So many bytes decide.</summary>
    public const int Length = 16;

    public static PhotoFormat Sniff(ReadOnlySpan<byte> head)
    {
        if (head.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]))
        {
            return PhotoFormat.Jpeg;
        }

        if (head.StartsWith((ReadOnlySpan<byte>)[0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A]))
        {
            return PhotoFormat.Png;
        }

        if (head.Length >= 12 && head.StartsWith("RIFF"u8) && head[8..].StartsWith("WEBP"u8))
        {
            return PhotoFormat.Webp;
        }

        if (HeifStructure.Sniff(head) is var heif && heif != PhotoFormat.None)
        {
            return heif;
        }

        return IsOtherPicture(head) ? PhotoFormat.OtherPicture : PhotoFormat.None;
    }

    private static bool IsOtherPicture(ReadOnlySpan<byte> head) =>
        head.StartsWith("GIF8"u8)
        || head.StartsWith("II*\0"u8)
        || head.StartsWith("MM\0*"u8)
        || head.StartsWith("BM"u8) && head.Length >= 10 && head[6..10].IndexOfAnyExcept((byte)0) < 0
        || head.StartsWith((ReadOnlySpan<byte>)[0x00, 0x00, 0x00, 0x0C, (byte)'J', (byte)'X', (byte)'L', (byte)' '])
        || head.StartsWith((ReadOnlySpan<byte>)[0xFF, 0x0A])
        || head.StartsWith((ReadOnlySpan<byte>)[0x00, 0x00, 0x00, 0x0C, (byte)'j', (byte)'P', (byte)' ', (byte)' '])
        || head.StartsWith("8BPS"u8);
}
