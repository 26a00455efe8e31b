namespace Flurrty.ImagingChild;

/// <summary>
/// Turns a file of unknown origin into the two JPEGs that are kept: upright, in sRGB, without metadata, no longer than asked.
/// </summary>
internal sealed class PhotoNormalizer(Version libraryVersion)
{
    private readonly string _strip = libraryVersion >= new Version(8, 15) ? "keep=none" : "strip=true";

    /// <summary>Bytes that the caller keeps free behind a file.</summary>
    public const int Reserve = 2;

    /// <summary>Normalises the file at this address, which stays there until the result is disposed.</summary>
    public unsafe NormalizedImage Normalize(in ImagingRequest request, byte* bytes)
    {
        var file = new ReadOnlySpan<byte>(bytes, request.FileBytes);
        var format = PhotoSignature.Sniff(file);
        if (format == PhotoFormat.None)
        {
            return NormalizedImage.Refused(PhotoRefusal.NotAnImage, "no known signature");
        }

        if (format == PhotoFormat.OtherPicture)
        {
            return NormalizedImage.Refused(PhotoRefusal.UnsupportedFormat, "a picture of another kind");
        }

        var structure = PhotoStructure.Read(format, file);
        if (structure.Format == PhotoFormat.OtherPicture)
        {
            return NormalizedImage.Refused(PhotoRefusal.UnsupportedFormat, "a picture of another coding");
        }

        format = structure.Format == PhotoFormat.None ? format : structure.Format;
        var refusal = Judge(structure, format, request);
        if (refusal != PhotoRefusal.None)
        {
            return NormalizedImage.Refused(refusal, $"{format} {structure.Width}x{structure.Height}");
        }

        // What the library said of an earlier photo that it took all the same is not about this one.
        _ = VipsLibrary.TakeError();
        try
        {
            var length = file.Length;
            if (structure.MayLackEndMarkerOnly)
            {
                // Given one, the decoder complains no more of the marker, but of each pixel that is not there.
                (bytes[length], bytes[length + 1]) = (0xFF, 0xD9);
                length += Reserve;
            }

            using var photo = Decode(format, structure, request, (nint)bytes, length);
            var damage = format == PhotoFormat.Jpeg ? DamageIn(VipsLibrary.TakeError()) : PhotoRefusal.None;
            if (damage != PhotoRefusal.None)
            {
                return NormalizedImage.Refused(structure.EndsEarly ? PhotoRefusal.Truncated : damage, "the decoder filled in what is damaged");
            }

            return Encode(photo, format, structure, request);
        }
        catch (VipsException problem)
        {
            return NormalizedImage.Refused(structure.EndsEarly || SaysTruncated(problem.Message) ? PhotoRefusal.Truncated : PhotoRefusal.Unreadable, problem.Message);
        }
    }

    private static PhotoRefusal Judge(in PhotoStructure structure, PhotoFormat format, in ImagingRequest request)
    {
        if (structure.Width <= 0 || structure.Height <= 0)
        {
            return structure.EndsEarly ? PhotoRefusal.Truncated : PhotoRefusal.Unreadable;
        }

        var layered = structure.Layered || format != PhotoFormat.Jpeg;
        if (structure.Pixels > (layered ? request.MaxLayeredPixels : request.MaxPixels))
        {
            return PhotoRefusal.TooManyPixels;
        }

        if (structure.Animated)
        {
            return PhotoRefusal.Animated;
        }

        return Math.Min(structure.Width, structure.Height) < request.ShortestSideAccepted ? PhotoRefusal.TooSmall : PhotoRefusal.None;
    }

    private static VipsImage Decode(PhotoFormat format, in PhotoStructure structure, in ImagingRequest request, nint bytes, int length)
    {
        var longest = Math.Max(structure.Width, structure.Height);
        var options = "access=sequential,fail_on=error";
        switch (format)
        {
            case PhotoFormat.Jpeg:
                var shrink = 1;
                while (shrink < 8 && longest / (shrink * 2) >= request.LongestSide)
                {
                    shrink *= 2;
                }

                options += $",shrink={shrink}";
                break;
            case PhotoFormat.Webp when longest > request.LongestSide:
                // WebP has no power-of-two shrink; its decoder scales to any size.
                options += $",scale={VipsImage.Number((double)request.LongestSide / longest)}";
                break;
            default:
                break;
        }

        var loader = format switch
        {
            PhotoFormat.Jpeg => "jpegload_buffer",
            PhotoFormat.Png => "pngload_buffer",
            PhotoFormat.Webp => "webpload_buffer",
            _ => "heifload_buffer",
        };
        var heif = format is PhotoFormat.Heic or PhotoFormat.Avif;
        using var share = heif ? ProcessorShare.Take() : default;

        using var source = VipsImage.Load(loader, bytes, length, options);
        if ((long)source.Width * source.Height > structure.Pixels)
        {
            throw new VipsException("the decoder found more pixels than the file declares");
        }

        using var opaque = source.HasAlpha ? source.Apply("flatten", $"background={(source.Format == VipsImage.UShort ? 65535 : 255)}") : null;
        using var resized = Resize(opaque ?? source, request.LongestSide);
        using var coloured = ToSrgb(resized ?? opaque ?? source);
        using var bytewise = coloured.Format == VipsImage.Byte ? null : coloured.Apply("cast", "format=uchar");

        // Sequential access ends here: every decoding error shows now, and turning needs random access.
        var memory = (bytewise ?? coloured).CopyToMemory();

        // HEIF turns by its own properties, which the decoder has applied; its EXIF says the same once more.
        if (heif || memory.Orientation <= 1)
        {
            return memory;
        }

        using (memory)
        {
            using var upright = memory.Apply("autorot");
            return upright.CopyToMemory();
        }
    }

    private static VipsImage? Resize(VipsImage image, int longestSide)
    {
        var longest = Math.Max(image.Width, image.Height);
        if (longest <= longestSide)
        {
            return null;
        }

        var width = Math.Max(1, (int)Math.Round((double)image.Width * longestSide / longest, MidpointRounding.AwayFromZero));
        var height = Math.Max(1, (int)Math.Round((double)image.Height * longestSide / longest, MidpointRounding.AwayFromZero));
        return image.Apply("resize", $"scale={VipsImage.Number((double)width / image.Width)},vscale={VipsImage.Number((double)height / image.Height)}");
    }

    private static VipsImage ToSrgb(VipsImage image)
    {
        if (image.Has("icc-profile-data"))
        {
            try
            {
                return image.Apply("icc_transform", "output_profile=srgb,embedded=true,depth=8");
            }
            catch (VipsException)
            {
                // A profile that does not fit its picture is ignored, as browsers do.
            }
        }

        return image.Apply("colourspace", "space=srgb");
    }

    private NormalizedImage Encode(VipsImage photo, PhotoFormat format, in PhotoStructure structure, in ImagingRequest request)
    {
        if (photo.Bands != 3 || photo.Format != VipsImage.Byte)
        {
            throw new VipsException($"{photo.Bands} bands of format {photo.Format} after conversion");
        }

        var save = $"Q={request.Quality},subsample_mode=on,{_strip}";
        var jpeg = photo.Save("jpegsave_buffer", save);
        try
        {
            using var small = photo.Apply("thumbnail_image", $"width={request.ThumbnailSide},height={request.ThumbnailSide},crop=centre,size=both");
            var thumbnail = small.Save("jpegsave_buffer", save);
            var turned = photo.Width > photo.Height != structure.Width > structure.Height && photo.Width != photo.Height;
            var (sourceWidth, sourceHeight) = turned ? (structure.Height, structure.Width) : (structure.Width, structure.Height);
            return NormalizedImage.Accepted(format, photo.Width, photo.Height, sourceWidth, sourceHeight, jpeg, thumbnail, PhotoMeter.Measure(photo.Pixels(), photo.Width, photo.Height));
        }
        catch
        {
            jpeg.Dispose();
            throw;
        }
    }

    // libjpeg paints grey or noise over what it cannot read and only warns. Extraneous bytes, which some cameras write, do no harm.
    private static PhotoRefusal DamageIn(string warnings) =>
        warnings.Contains("found marker 0xd9 instead of RST", StringComparison.OrdinalIgnoreCase) ? PhotoRefusal.Truncated
        : warnings.Contains("bad Huffman code", StringComparison.OrdinalIgnoreCase) || warnings.Contains("instead of RST", StringComparison.OrdinalIgnoreCase) ? PhotoRefusal.Unreadable
        : SaysTruncated(warnings) ? PhotoRefusal.Truncated
        : PhotoRefusal.None;

    private static bool SaysTruncated(string message) =>
        message.Contains("premature end", StringComparison.OrdinalIgnoreCase)
        || message.Contains("truncated", StringComparison.OrdinalIgnoreCase)
        || message.Contains("not enough data", StringComparison.OrdinalIgnoreCase);
}

/// <summary>The child's result for one photo.</summary>
internal sealed class NormalizedImage : IDisposable
{
    public required PhotoRefusal Refusal { get; init; }

    public string Reason { get; private init; } = "";

    public PhotoFormat Format { get; private init; }

    public int Width { get; private init; }

    public int Height { get; private init; }

    public int SourceWidth { get; private init; }

    public int SourceHeight { get; private init; }

    public PhotoMeasures? Measures { get; private init; }

    public VipsBytes? Jpeg { get; private init; }

    public VipsBytes? Thumbnail { get; private init; }

    public static NormalizedImage Refused(PhotoRefusal refusal, string reason) => new() { Refusal = refusal, Reason = reason };

    public static NormalizedImage Accepted(
        PhotoFormat format, int width, int height, int sourceWidth, int sourceHeight, VipsBytes jpeg, VipsBytes thumbnail, PhotoMeasures measures) => new()
        {
            Refusal = PhotoRefusal.None,
            Format = format,
            Width = width,
            Height = height,
            SourceWidth = sourceWidth,
            SourceHeight = sourceHeight,
            Jpeg = jpeg,
            Thumbnail = thumbnail,
            Measures = measures,
        };

    public void Dispose()
    {
        Jpeg?.Dispose();
        Thumbnail?.Dispose();
    }
}
