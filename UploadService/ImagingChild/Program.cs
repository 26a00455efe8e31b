using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Flurrty.ImagingChild;

/// <summary>
/// Reads photos from standard input and writes the normalised ones to standard output, one at a time, until the input ends.
/// It is started by UploadService inside a sandbox and trusts nothing that it reads but the lengths.
/// </summary>
internal static class Program
{
    private static int Main()
    {
        // Files, not the console: it would bring signal handling and assemblies that take up the few descriptors.
        using var input = new FileStream(new SafeFileHandle(0, ownsHandle: false), FileAccess.Read, bufferSize: 0);
        using var output = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        var version = VipsLibrary.Load(Environment.GetEnvironmentVariable("FLURRTY_LIBVIPS"));
        var normalizer = new PhotoNormalizer(version);
        SystemCallFilter.Apply();

        Span<byte> hello = stackalloc byte[16];
        BinaryPrimitives.WriteUInt32LittleEndian(hello, ImagingResponse.Hello);
        BinaryPrimitives.WriteInt32LittleEndian(hello[4..], version.Major);
        BinaryPrimitives.WriteInt32LittleEndian(hello[8..], version.Minor);
        BinaryPrimitives.WriteInt32LittleEndian(hello[12..], version.Build);
        output.Write(hello);

        Span<byte> header = stackalloc byte[ImagingRequest.HeaderBytes];
        while (input.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) == header.Length)
        {
            Answer(ImagingRequest.Read(header), normalizer, input, output);
        }

        return 0;
    }

    private static unsafe void Answer(ImagingRequest request, PhotoNormalizer normalizer, Stream input, Stream output)
    {
        var bytes = (byte*)NativeMemory.Alloc((nuint)request.FileBytes + PhotoNormalizer.Reserve);
        try
        {
            input.ReadExactly(new Span<byte>(bytes, request.FileBytes));
            using var image = normalizer.Normalize(request, bytes);
            Write(image, output);
        }
        finally
        {
            NativeMemory.Free(bytes);
        }
    }

    private static void Write(NormalizedImage image, Stream output)
    {
        var photo = image.Jpeg is null ? [] : image.Jpeg.Span;
        var thumbnail = image.Thumbnail is null ? [] : image.Thumbnail.Span;
        if (image.Refusal != PhotoRefusal.None)
        {
            photo = Encoding.UTF8.GetBytes(image.Reason);
            photo = photo[..Math.Min(photo.Length, ImagingResponse.MaxReasonBytes)];
        }

        Span<byte> header = stackalloc byte[ImagingResponse.HeaderBytes];
        new ImagingResponse(image.Refusal, image.Format, image.Width, image.Height, image.SourceWidth, image.SourceHeight, photo.Length, thumbnail.Length, image.Measures)
            .Write(header);
        output.Write(header);
        output.Write(photo);
        output.Write(thumbnail);
        output.Flush();
    }
}
