using System.Buffers;
using Flurrty.ImagingChild;

namespace Flurrty.UploadService.Imaging;

/// <summary>What became of a file: a normalised photo, or a refusal.</summary>
internal sealed class ImagingResult : IDisposable
{
    private byte[]? _buffer;
    private int _photoBytes;
    private int _thumbnailBytes;

    public PhotoRefusal Refusal { get; private init; }

    public PhotoFormat Format { get; private init; }

    public int Width { get; private init; }

    public int Height { get; private init; }

    public int SourceWidth { get; private init; }

    public int SourceHeight { get; private init; }

    public PhotoMeasures? Measures { get; private init; }

    /// <summary>The normalised JPEG; valid until dispose.</summary>
    public ReadOnlyMemory<byte> Photo => _buffer.AsMemory(0, _photoBytes);

    /// <summary>The thumbnail JPEG; valid until dispose.</summary>
    public ReadOnlyMemory<byte> Thumbnail => _buffer.AsMemory(_photoBytes, _thumbnailBytes);

    public static ImagingResult Refused(PhotoRefusal refusal) => new() { Refusal = refusal };

    /// <summary>Takes over a rented buffer that holds photo and thumbnail.</summary>
    public static ImagingResult Accepted(in ImagingResponse response, byte[] rented) => new()
    {
        Format = response.Format,
        Width = response.Width,
        Height = response.Height,
        SourceWidth = response.SourceWidth,
        SourceHeight = response.SourceHeight,
        Measures = response.Measures,
        _buffer = rented,
        _photoBytes = response.PhotoBytes,
        _thumbnailBytes = response.ThumbnailBytes,
    };

    public Stream OpenPhoto() => new MemoryStream(_buffer ?? [], 0, _photoBytes, writable: false);

    public Stream OpenThumbnail() => new MemoryStream(_buffer ?? [], _photoBytes, _thumbnailBytes, writable: false);

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _buffer, null) is { } buffer)
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
