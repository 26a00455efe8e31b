using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Flurrty.UploadService.Storage;

namespace Flurrty.UploadService.Datasets;

/// <summary>
/// Writes a zip of stored entries to a stream that cannot seek. The same entries give the same bytes: names in ASCII, one fixed time,
/// sizes and checksums in the local headers, nothing after them but the directory.
/// </summary>
internal sealed class StoredZipWriter(Stream output) : IDisposable
{
    private const int LocalHeaderBytes = 30;
    private const int DirectoryHeaderBytes = 46;
    private const int EndBytes = 22;
    private const int ChunkBytes = 128 * 1024;
    private const ushort VersionNeeded = 10;

    // 1 January 1980, the first day that zip knows.
    private const ushort Date = (1 << 5) | 1;

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly List<Entry> _entries = [];

    /// <summary>Bytes written so far.</summary>
    public long Length { get; private set; }

    /// <summary>Copies an entry whose length and checksum are known.</summary>
    /// <exception cref="InvalidDataException">The content is not what was announced.</exception>
    public async Task AddAsync(string name, long length, uint crc32, Stream content, CancellationToken cancellationToken)
    {
        var entry = await BeginAsync(name, length, crc32, cancellationToken);
        var buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            var crc = default(Crc32);
            long copied = 0;
            int read;
            while ((read = await content.ReadAsync(buffer.AsMemory(0, ChunkBytes), cancellationToken)) > 0)
            {
                copied += read;
                if (copied > length)
                {
                    break;
                }

                crc.Append(buffer.AsSpan(0, read));
                await WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            }

            if (copied != length || crc.Value != crc32)
            {
                throw new InvalidDataException($"The entry {name} is not what was stored.");
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        _entries.Add(entry);
    }

    /// <summary>Adds an entry from memory.</summary>
    public async Task AddAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var entry = await BeginAsync(name, content.Length, Crc32.Of(content.Span), cancellationToken);
        await WriteAsync(content, cancellationToken);
        _entries.Add(entry);
    }

    /// <summary>Writes the directory.</summary>
    /// <returns>SHA-256 of the whole zip, lower-case hex.</returns>
    public async Task<string> FinishAsync(CancellationToken cancellationToken)
    {
        var start = Length;
        foreach (var entry in _entries)
        {
            var header = new byte[DirectoryHeaderBytes + entry.Name.Length];
            BinaryPrimitives.WriteUInt32LittleEndian(header, 0x02014B50);
            BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(4), VersionNeeded);
            WriteCommon(header.AsSpan(6), entry);
            BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(42), entry.Offset);
            entry.Name.CopyTo(header.AsSpan(DirectoryHeaderBytes));
            await WriteAsync(header, cancellationToken);
        }

        var end = new byte[EndBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(end, 0x06054B50);
        BinaryPrimitives.WriteUInt16LittleEndian(end.AsSpan(8), checked((ushort)_entries.Count));
        BinaryPrimitives.WriteUInt16LittleEndian(end.AsSpan(10), checked((ushort)_entries.Count));
        BinaryPrimitives.WriteUInt32LittleEndian(end.AsSpan(12), checked((uint)(Length - start)));
        BinaryPrimitives.WriteUInt32LittleEndian(end.AsSpan(16), checked((uint)start));
        await WriteAsync(end, cancellationToken);
        return Convert.ToHexStringLower(_hash.GetHashAndReset());
    }

    public void Dispose() => _hash.Dispose();

    private async Task<Entry> BeginAsync(string name, long length, uint crc32, CancellationToken cancellationToken)
    {
        var entry = new Entry(Encoding.ASCII.GetBytes(name), checked((uint)length), crc32, checked((uint)Length));
        var header = new byte[LocalHeaderBytes + entry.Name.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(header, 0x04034B50);
        WriteCommon(header.AsSpan(4), entry);
        entry.Name.CopyTo(header.AsSpan(LocalHeaderBytes));
        await WriteAsync(header, cancellationToken);
        return entry;
    }

    // Version, flags, method, time, date, checksum, sizes, name's and extra field's length: the same in both headers.
    private static void WriteCommon(Span<byte> target, Entry entry)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(target, VersionNeeded);
        BinaryPrimitives.WriteUInt16LittleEndian(target[8..], Date);
        BinaryPrimitives.WriteUInt32LittleEndian(target[10..], entry.Crc32);
        BinaryPrimitives.WriteUInt32LittleEndian(target[14..], entry.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(target[18..], entry.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(target[22..], checked((ushort)entry.Name.Length));
    }

    private async Task WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        _hash.AppendData(bytes.Span);
        Length += bytes.Length;
        await output.WriteAsync(bytes, cancellationToken);
    }

    private sealed record Entry(byte[] Name, uint Length, uint Crc32, uint Offset);
}
