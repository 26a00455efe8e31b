using System.Globalization;
using System.Runtime.InteropServices;

namespace Flurrty.ImagingChild;

/// <summary>One reference to a libvips image, given back on dispose.</summary>
internal sealed class VipsImage : SafeHandle
{
    /// <summary>VIPS_FORMAT_UCHAR and VIPS_FORMAT_USHORT.</summary>
    public const int Byte = 0;

    public const int UShort = 2;

    /// <summary>VIPS_INTERPRETATION_sRGB.</summary>
    public const int Srgb = 22;

    private VipsImage(nint image)
        : base(0, ownsHandle: true) => SetHandle(image);

    public override bool IsInvalid => handle == 0;

    public int Width => VipsLibrary.ImageWidth(handle);

    public int Height => VipsLibrary.ImageHeight(handle);

    public int Bands => VipsLibrary.ImageBands(handle);

    public int Format => VipsLibrary.ImageFormat(handle);

    public int Interpretation => VipsLibrary.ImageInterpretation(handle);

    public bool HasAlpha => VipsLibrary.ImageHasAlpha(handle) != 0;

    /// <summary>What EXIF says of it: 1 for upright, 2 to 8 for what is to be turned or mirrored.</summary>
    public int Orientation => VipsLibrary.ImageOrientation(handle);

    public bool Has(string metadata) => VipsLibrary.ImageTypeOf(handle, metadata) != 0;

    /// <summary>Opens a file's bytes. They must stay where they are until every image made from them is disposed.</summary>
    public static VipsImage Load(string loader, nint bytes, int length, string options)
    {
        using var operation = new VipsOperation(loader);
        operation.SetBlob("buffer", bytes, (nuint)length);
        operation.Build(options);
        return operation.GetImage("out");
    }

    /// <summary>Runs an operation on this image and returns its output.</summary>
    public VipsImage Apply(string name, string options = "", string output = "out", string input = "in")
    {
        using var operation = new VipsOperation(name);
        operation.SetImage(input, handle);
        operation.Build(options);
        return operation.GetImage(output);
    }

    public VipsImage CopyToMemory()
    {
        var copy = VipsLibrary.ImageCopyMemory(handle);
        return copy != 0 ? new VipsImage(copy) : throw new VipsException(VipsLibrary.TakeError());
    }

    /// <summary>The pixels of an image that is in memory, row by row; valid until dispose.</summary>
    public unsafe ReadOnlySpan<byte> Pixels()
    {
        var data = VipsLibrary.ImageData(handle);
        return data != 0 ? new ReadOnlySpan<byte>((void*)data, checked(Width * Height * Bands)) : throw new VipsException(VipsLibrary.TakeError());
    }

    public VipsBytes Save(string saver, string options)
    {
        using var operation = new VipsOperation(saver);
        operation.SetImage("in", handle);
        operation.Build(options);
        return operation.GetBytes("buffer");
    }

    internal static VipsImage Own(nint image) => new(image);

    protected override bool ReleaseHandle()
    {
        VipsLibrary.ObjectUnref(handle);
        return true;
    }

    public static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
