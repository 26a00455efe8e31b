using System.Security.Cryptography;
using Flurrty.ImagingChild;
using Microsoft.Win32.SafeHandles;

namespace Flurrty.UploadService.Imaging;

/// <summary>
/// One received file in anonymous memory, hashed while it is written. Nothing of it is on a disk, and a crash leaves nothing behind.
/// </summary>
internal sealed class PhotoSpool : IDisposable
{
    private readonly SafeFileHandle _file = NativeDescriptors.OpenMemoryFile("photo");
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly byte[] _head = new byte[PhotoSignature.Length];
    private byte[]? _sha256;

    public int Length { get; private set; }

    /// <summary>The first bytes, by which the format is told.</summary>
    public ReadOnlySpan<byte> Head => _head.AsSpan(0, Math.Min(Length, _head.Length));

    /// <summary>SHA-256 of what was received; the file is complete once it is asked for.</summary>
    public byte[] Sha256 => _sha256 ??= _hash.GetHashAndReset();

    public void Append(ReadOnlySpan<byte> bytes)
    {
        _hash.AppendData(bytes);
        RandomAccess.Write(_file, bytes, Length);
        if (Length < _head.Length)
        {
            bytes[..Math.Min(bytes.Length, _head.Length - Length)].CopyTo(_head.AsSpan(Length));
        }

        Length += bytes.Length;
    }

    /// <summary>Reads the complete file from its start, with a position of its own.</summary>
    public Stream OpenRead() => new FileStream($"/proc/self/fd/{_file.DangerousGetHandle()}", FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0, useAsync: false);

    public int Read(Span<byte> buffer, long offset) => RandomAccess.Read(_file, buffer, offset);

    public void Dispose()
    {
        _file.Dispose();
        _hash.Dispose();
    }
}
