using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Flurrty.ImagingChild;

/// <summary>Measures a normalised photo: whole numbers and a fixed order of additions, so that it gives the same result everywhere.</summary>
internal static class PhotoMeter
{
    /// <summary>Longest side of the luminance picture that is measured, in pixels.</summary>
    public const int LongestSide = 768;

    private const int Fraction = 16;
    private const int TileSide = 24;
    private const int FarStep = 4;
    private const int FlushRows = 8;
    private const double LeastContrast = 60;
    private const double ContrastOverNoise = 4;
    private const int FewestTiles = 8;
    private const int HashSide = 32;
    private const int HashFrequencies = 8;
    private static readonly double[] Cosines = MakeCosines();

    /// <summary>Measures RGB pixels of eight bits, row by row without gaps.</summary>
    public static PhotoMeasures Measure(ReadOnlySpan<byte> pixels, int width, int height)
    {
        var luminance = Luminance.Of(pixels, width, height);
        var (mean, median, brightest, shadows, highlights) = Expose(luminance);
        return new PhotoMeasures(Sharpness(luminance), mean, median, brightest, shadows, highlights, PerceptualHash(luminance));
    }

    private static (double Mean, double Median, double Brightest, double Shadows, double Highlights) Expose(Luminance luminance)
    {
        Span<int> histogram = stackalloc int[256];
        histogram.Clear();
        long sum = 0;
        foreach (var value in luminance.Values)
        {
            sum += value;
            histogram[Math.Min(value / Fraction, 255)]++;
        }

        var count = luminance.Values.Length;
        int median = 0, brightest = 0;
        long seen = 0;
        for (var level = 0; level < 256; level++)
        {
            seen += histogram[level];
            median = seen * 2 < count ? level + 1 : median;
            brightest = seen * 100 < count * 99L ? level + 1 : brightest;
        }

        long shadows = 0, highlights = 0;
        for (var level = 0; level < 5; level++)
        {
            shadows += histogram[level];
            highlights += histogram[255 - level];
        }

        return (Math.Min(1, (double)sum / count / Fraction / 255), median / 255.0, brightest / 255.0, (double)shadows / count, (double)highlights / count);
    }

    /// <summary>
    /// Of each tile with contrast: how much of the difference over four pixels happens within one. A step gives 1/4 and more, a ramp 1/16,
    /// whatever the contrast. What the flattest quarter shows is noise and taken off. The sharpest twentieth of the tiles decides,
    /// so a soft background does no harm; the worse of the two directions decides, so that a shaken camera shows.
    /// </summary>
    private static double? Sharpness(Luminance luminance)
    {
        var columns = (luminance.Width - FarStep) / TileSide;
        var rows = (luminance.Height - FarStep) / TileSide;
        if (columns < 1 || rows < 1)
        {
            return null;
        }

        var tiles = new double[4][];
        for (var kind = 0; kind < tiles.Length; kind++)
        {
            tiles[kind] = new double[columns * rows];
        }

        for (var row = 0; row < rows; row++)
        {
            for (var column = 0; column < columns; column++)
            {
                SumTile(luminance, column * TileSide, row * TileSide, out var near, out var far, out var nearDown, out var farDown);
                var tile = (row * columns) + column;
                (tiles[0][tile], tiles[1][tile], tiles[2][tile], tiles[3][tile]) = (Mean(near), Mean(far), Mean(nearDown), Mean(farDown));
            }
        }

        var noise = Math.Min(Percentile(tiles[0], 25), Percentile(tiles[2], 25));
        var across = Steepness(tiles[0], tiles[1], noise);
        var down = Steepness(tiles[2], tiles[3], noise);
        return across is null || down is null ? across ?? down : Math.Min(across.Value, down.Value);

        static double Mean(long sum) => (double)sum / (TileSide * TileSide * Fraction * Fraction);
    }

    private static double? Steepness(double[] near, double[] far, double noise)
    {
        var ratios = new List<double>(near.Length);
        for (var tile = 0; tile < near.Length; tile++)
        {
            var contrast = far[tile] - noise;
            if (contrast > Math.Max(LeastContrast, ContrastOverNoise * noise))
            {
                ratios.Add(Math.Clamp((near[tile] - noise) / contrast, 0, 1));
            }
        }

        return ratios.Count < FewestTiles ? null : Percentile([.. ratios], 95);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SumTile(Luminance luminance, int left, int top, out long near, out long far, out long nearDown, out long farDown)
    {
        near = far = nearDown = farDown = 0;
        var width = luminance.Width;
        ref var first = ref luminance.Values[(top * width) + left];
        for (var y = 0; y < TileSide; y += FlushRows)
        {
            // So many rows of squares fit into 32 bits.
            Vector128<int> nears = default, fars = default, nearsDown = default, farsDown = default;
            for (var row = y; row < y + FlushRows; row++)
            {
                for (var x = 0; x < TileSide; x += Vector128<ushort>.Count)
                {
                    var at = (nuint)((row * width) + x);
                    var here = Vector128.LoadUnsafe(ref first, at).AsInt16();
                    nears += Squares(Vector128.LoadUnsafe(ref first, at + 1).AsInt16() - here);
                    fars += Squares(Vector128.LoadUnsafe(ref first, at + FarStep).AsInt16() - here);
                    nearsDown += Squares(Vector128.LoadUnsafe(ref first, at + (nuint)width).AsInt16() - here);
                    farsDown += Squares(Vector128.LoadUnsafe(ref first, at + (nuint)(FarStep * width)).AsInt16() - here);
                }
            }

            near += Total(nears);
            far += Total(fars);
            nearDown += Total(nearsDown);
            farDown += Total(farsDown);
        }
    }

    private static Vector128<int> Squares(Vector128<short> differences)
    {
        var (low, high) = Vector128.Widen(differences);
        return (low * low) + (high * high);
    }

    private static long Total(Vector128<int> sums)
    {
        var (low, high) = Vector128.Widen(sums);
        return Vector128.Sum(low + high);
    }

    // Between two ranks it lies in proportion.
    private static double Percentile(double[] values, double percent)
    {
        var sorted = values.Order().ToArray();
        var rank = percent / 100 * (sorted.Length - 1);
        var low = (int)rank;
        return low + 1 < sorted.Length ? sorted[low] + ((rank - low) * (sorted[low + 1] - sorted[low])) : sorted[low];
    }

    /// <summary>The signs, against their median, of the 63 lowest frequencies of the picture shrunk to 32 by 32.</summary>
    private static ulong? PerceptualHash(Luminance luminance)
    {
        var small = Shrink(luminance);
        Span<double> frequencies = stackalloc double[HashFrequencies * HashFrequencies];
        var rows = new double[HashSide * HashFrequencies];
        for (var y = 0; y < HashSide; y++)
        {
            for (var u = 0; u < HashFrequencies; u++)
            {
                var sum = 0.0;
                for (var x = 0; x < HashSide; x++)
                {
                    sum += small[(y * HashSide) + x] * Cosines[(u * HashSide) + x];
                }

                rows[(y * HashFrequencies) + u] = sum;
            }
        }

        var energy = 0.0;
        for (var v = 0; v < HashFrequencies; v++)
        {
            for (var u = 0; u < HashFrequencies; u++)
            {
                var sum = 0.0;
                for (var y = 0; y < HashSide; y++)
                {
                    sum += rows[(y * HashFrequencies) + u] * Cosines[(v * HashSide) + y];
                }

                frequencies[(v * HashFrequencies) + u] = sum;
                energy += u + v == 0 ? 0 : sum * sum;
            }
        }

        // Less than about one grey level of change over the whole picture says nothing.
        if (energy < HashSide * HashSide)
        {
            return null;
        }

        var sorted = frequencies[1..].ToArray().Order().ToArray();
        var median = sorted[sorted.Length / 2];
        ulong hash = 0;
        for (var bit = 1; bit < frequencies.Length; bit++)
        {
            hash = (hash << 1) | (frequencies[bit] > median ? 1u : 0u);
        }

        return hash;
    }

    private static double[] Shrink(Luminance luminance)
    {
        var small = new double[HashSide * HashSide];
        for (var row = 0; row < HashSide; row++)
        {
            var (top, bottom) = Cell(row, luminance.Height);
            for (var column = 0; column < HashSide; column++)
            {
                var (left, right) = Cell(column, luminance.Width);
                long sum = 0;
                for (var y = top; y < bottom; y++)
                {
                    foreach (var value in luminance.Values.AsSpan((y * luminance.Width) + left, right - left))
                    {
                        sum += value;
                    }
                }

                small[(row * HashSide) + column] = (double)sum / ((bottom - top) * (right - left) * Fraction);
            }
        }

        return small;

        // A side shorter than the grid gives some pixels to several cells.
        static (int From, int To) Cell(int index, int side)
        {
            var from = index * side / HashSide;
            return (from, Math.Max(from + 1, (index + 1) * side / HashSide));
        }
    }

    private static double[] MakeCosines()
    {
        var cosines = new double[HashFrequencies * HashSide];
        for (var frequency = 0; frequency < HashFrequencies; frequency++)
        {
            for (var x = 0; x < HashSide; x++)
            {
                var scale = Math.Sqrt((frequency == 0 ? 1.0 : 2.0) / HashSide);
                cosines[(frequency * HashSide) + x] = scale * Math.Cos(Math.PI * ((2 * x) + 1) * frequency / (2 * HashSide));
            }
        }

        return cosines;
    }

    /// <summary>Luminance in sixteenths of a grey level, shrunk by a whole number so that the longest side is at most <see cref="LongestSide"/>.</summary>
    private sealed class Luminance(ushort[] values, int width, int height)
    {
        public ushort[] Values => values;

        public int Width => width;

        public int Height => height;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static Luminance Of(ReadOnlySpan<byte> pixels, int width, int height)
        {
            var factor = Math.Min((Math.Max(width, height) + LongestSide - 1) / LongestSide, Math.Min(width, height));
            int across = width / factor, down = height / factor;
            var values = new ushort[across * down];
            var sums = new int[across];
            var divisor = 256 * factor * factor / Fraction;
            for (var y = 0; y < down; y++)
            {
                Array.Clear(sums);
                for (var line = 0; line < factor; line++)
                {
                    var row = pixels.Slice(((y * factor) + line) * width * 3, across * factor * 3);
                    if (factor == 2)
                    {
                        AddPairs(row, sums);
                    }
                    else
                    {
                        Add(row, sums, factor);
                    }
                }

                for (var x = 0; x < sums.Length; x++)
                {
                    values[(y * across) + x] = (ushort)(sums[x] / divisor);
                }
            }

            return new Luminance(values, across, down);
        }

        private static void Add(ReadOnlySpan<byte> row, int[] sums, int factor)
        {
            var at = 0;
            for (var x = 0; x < sums.Length; x++)
            {
                var sum = 0;
                for (var part = 0; part < factor; part++)
                {
                    sum += (77 * row[at]) + (150 * row[at + 1]) + (29 * row[at + 2]);
                    at += 3;
                }

                sums[x] += sum;
            }
        }

        // Nearly every photo is shrunk to its half.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static unsafe void AddPairs(ReadOnlySpan<byte> row, int[] sums)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(row.Length, sums.Length * 6);
            fixed (byte* start = row)
            fixed (int* target = sums)
            {
                var pixel = start;
                for (var x = 0; x < sums.Length; x++)
                {
                    target[x] += (77 * (pixel[0] + pixel[3])) + (150 * (pixel[1] + pixel[4])) + (29 * (pixel[2] + pixel[5]));
                    pixel += 6;
                }
            }
        }
    }
}
