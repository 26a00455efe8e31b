using System.Buffers.Binary;

namespace Flurrty.ImagingChild;

/// <summary>
/// The scans of a JPEG that stops before its end marker. A decoder takes a scan that is missing for detail that was never there, without a word,
/// so they are counted here; whether the last one is whole it does say.
/// </summary>
internal static class JpegScans
{
    private const int Coefficients = 64;

    /// <summary>Whether the scans hold each coefficient of each component to its lowest bit.</summary>
    /// <param name="file">The file from its frame header on.</param>
    /// <param name="at">Where the first scan begins.</param>
    public static bool AreAllBegun(ReadOnlySpan<byte> file, int at)
    {
        // By component, the coefficients that lack bits.
        var lacking = new Dictionary<byte, ulong>();
        for (var component = 0; file.Length > 9 && component < file[9] && 10 + (3 * component) < at; component++)
        {
            lacking[file[10 + (3 * component)]] = ulong.MaxValue;
        }

        while (at + 4 <= file.Length)
        {
            var marker = file[at + 1];
            var length = BinaryPrimitives.ReadUInt16BigEndian(file[(at + 2)..]);
            if (length < 2 || at + 2 + length > file.Length || (marker == 0xDA && !Take(file.Slice(at + 4, length - 2), lacking)))
            {
                return false;
            }

            at += 2 + length;
            at += ToNextMarker(file[at..]);
        }

        // Half of the end marker may be there.
        return file[at..] is [] or [0xFF] && lacking.Count > 0 && lacking.Values.All(static coefficients => coefficients == 0);
    }

    private static bool Take(ReadOnlySpan<byte> scan, Dictionary<byte, ulong> lacking)
    {
        if (scan is [] || scan.Length != 4 + (2 * scan[0]))
        {
            return false;
        }

        var (first, last, lowestBit) = (scan[^3], scan[^2], scan[^1] & 0x0F);
        if (first > last || last >= Coefficients)
        {
            return false;
        }

        var coded = (ulong.MaxValue << first) & (ulong.MaxValue >> (Coefficients - 1 - last));
        for (var at = 1; at < scan.Length - 3; at += 2)
        {
            if (!lacking.TryGetValue(scan[at], out var coefficients))
            {
                return false;
            }

            lacking[scan[at]] = lowestBit == 0 ? coefficients & ~coded : coefficients;
        }

        return true;
    }

    /// <summary>Over coded pixels and restarts.</summary>
    private static int ToNextMarker(ReadOnlySpan<byte> file)
    {
        var at = 0;
        while (file[at..].IndexOf((byte)0xFF) is var step and >= 0)
        {
            at += step;
            if (at + 1 == file.Length || file[at + 1] is not (0x00 or 0x01 or 0xFF or (>= 0xD0 and <= 0xD7)))
            {
                return at;
            }

            at += file[at + 1] == 0xFF ? 1 : 2;
        }

        return file.Length;
    }
}
