using System.Buffers.Binary;

namespace Flurrty.ImagingChild;

/// <summary>What was measured on a normalised photo. The same photo always gives the same numbers.</summary>
/// <param name="Sharpness">
/// How steep the steepest edges are, whatever their contrast: from 0.06 (smooth ramps only) to 1. Null where there is no edge to measure.
/// </param>
/// <param name="Mean">Mean luminance, 0 to 1.</param>
/// <param name="Median">Median luminance, 0 to 1.</param>
/// <param name="Brightest">Luminance that 99 % of the picture do not exceed, 0 to 1.</param>
/// <param name="ClippedShadows">Part of the picture that is black, 0 to 1.</param>
/// <param name="ClippedHighlights">Part of the picture that is white, 0 to 1.</param>
/// <param name="PerceptualHash">63 bits that pictures which look alike share. Null where the picture is of one tone.</param>
internal sealed record PhotoMeasures(
    double? Sharpness, double Mean, double Median, double Brightest, double ClippedShadows, double ClippedHighlights, ulong? PerceptualHash)
{
    public const int Bytes = 56;

    private const ulong NoHash = ulong.MaxValue;

    /// <summary>Whether the numbers are in their ranges; what comes from a child is not believed.</summary>
    public bool ArePossible =>
        (Sharpness is null || IsPart(Sharpness.Value)) && IsPart(Mean) && IsPart(Median) && IsPart(Brightest) && IsPart(ClippedShadows) && IsPart(ClippedHighlights);

    public void Write(Span<byte> target)
    {
        BinaryPrimitives.WriteDoubleLittleEndian(target, Sharpness ?? -1);
        BinaryPrimitives.WriteDoubleLittleEndian(target[8..], Mean);
        BinaryPrimitives.WriteDoubleLittleEndian(target[16..], Median);
        BinaryPrimitives.WriteDoubleLittleEndian(target[24..], Brightest);
        BinaryPrimitives.WriteDoubleLittleEndian(target[32..], ClippedShadows);
        BinaryPrimitives.WriteDoubleLittleEndian(target[40..], ClippedHighlights);
        BinaryPrimitives.WriteUInt64LittleEndian(target[48..], PerceptualHash ?? NoHash);
    }

    public static PhotoMeasures Read(ReadOnlySpan<byte> source)
    {
        var sharpness = BinaryPrimitives.ReadDoubleLittleEndian(source);
        var hash = BinaryPrimitives.ReadUInt64LittleEndian(source[48..]);
        return new PhotoMeasures(
            sharpness == -1 ? null : sharpness,
            BinaryPrimitives.ReadDoubleLittleEndian(source[8..]),
            BinaryPrimitives.ReadDoubleLittleEndian(source[16..]),
            BinaryPrimitives.ReadDoubleLittleEndian(source[24..]),
            BinaryPrimitives.ReadDoubleLittleEndian(source[32..]),
            BinaryPrimitives.ReadDoubleLittleEndian(source[40..]),
            hash == NoHash ? null : hash);
    }

    private static bool IsPart(double value) => value is >= 0 and <= 1;
}
