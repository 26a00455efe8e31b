using System.Buffers;
using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Storage;
using Flurrty.UploadService.Persistence;
using Flurrty.UploadService.Storage;
using Microsoft.EntityFrameworkCore;

namespace Flurrty.UploadService.ResumableUploads;

/// <summary>
/// Writes the bytes of one request behind those that an upload has. They lie as objects of one part's size in the store, so they survive
/// this process; only the part that is being filled is in memory. A part that is not full yet is read back, filled up and stored anew.
/// Each request has a number of its own: it is in its objects' keys, and only the latest request may move the upload on.
/// </summary>
internal sealed class PartWriter : IDisposable
{
    private const string Binary = "application/octet-stream";

    private readonly ObjectStore _store;
    private readonly UploadsContext _db;
    private readonly PendingUpload _upload;
    private readonly int _partBytes;
    private readonly List<int> _parts;
    private readonly List<string> _superseded = [];
    private byte[] _buffer;
    private int _filled;
    private int _stored;

    public PartWriter(ObjectStore store, UploadsContext db, PendingUpload upload, int partBytes)
    {
        _store = store;
        _db = db;
        _upload = upload;
        _partBytes = partBytes;
        _parts = [.. upload.Parts];
        _buffer = ArrayPool<byte>.Shared.Rent(partBytes);
        Position = upload.Received;
    }

    /// <summary>Where the next byte goes.</summary>
    public long Position { get; private set; }

    public long Remaining => _upload.Bytes - Position;

    /// <summary>Room for the next bytes: at most what the part and the upload still take.</summary>
    public Memory<byte> Room => _buffer.AsMemory(_filled, (int)Math.Min(_partBytes - _filled, Remaining));

    /// <summary>Whether the part holds bytes that are not in the store.</summary>
    public bool IsDirty => _filled > _stored;

    /// <summary>The upload's objects, in order.</summary>
    public IReadOnlyList<string> Keys => [.. _parts.Select(Key)];

    /// <summary>Reads back the last part, when it is not full.</summary>
    public async Task ResumeAsync(CancellationToken cancellationToken)
    {
        _stored = _filled = (int)(Position % _partBytes);
        if (_filled == 0)
        {
            return;
        }

        await using var part = await _store.GetAsync(Keys[^1], cancellationToken);
        await part.ReadExactlyAsync(_buffer.AsMemory(0, _filled), cancellationToken);
    }

    /// <summary>Takes bytes that were read into <see cref="Room"/>.</summary>
    public void Advance(int count)
    {
        _filled += count;
        Position += count;
    }

    /// <summary>Puts the part into the store. Nobody sees it before <see cref="CommitAsync"/>.</summary>
    public async Task StoreAsync(CancellationToken cancellationToken)
    {
        if (!IsDirty)
        {
            return;
        }

        var index = (int)((Position - 1) / _partBytes);
        using var content = new MemoryStream(_buffer, 0, _filled, writable: false);
        _ = await _store.PutAsync(Key(_upload.Writes, index), content, _filled, Binary, cancellationToken);
        if (index == _parts.Count)
        {
            _parts.Add(_upload.Writes);
        }
        else if (_parts[index] != _upload.Writes)
        {
            _superseded.Add(Key(_parts[index], index));
            _parts[index] = _upload.Writes;
        }

        _stored = _filled;
        if (_filled == _partBytes)
        {
            _stored = _filled = 0;
        }
    }

    /// <summary>Moves the upload on to what is stored.</summary>
    public async Task CommitAsync(CancellationToken cancellationToken)
    {
        var (received, parts) = (Position, _parts.ToArray());
        var moved = await _db.AsAccountAsync(
            _upload.AccountId,
            async token => await _db.PendingUploads
                .Where(row => row.Id == _upload.Id && row.Writes == _upload.Writes && row.PhotoId == null && row.Refusal == null)
                .ExecuteUpdateAsync(row => row.SetProperty(upload => upload.Received, received).SetProperty(upload => upload.Parts, parts), token),
            cancellationToken);
        if (moved == 0)
        {
            throw TusProblems.OffsetMismatch(_upload.Received);
        }

        foreach (var key in _superseded)
        {
            await _store.DeleteAsync(key, cancellationToken);
        }

        _superseded.Clear();
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
    }

    private string Key(int write, int index) => $"{ObjectKeys.Quarantine(_upload.AccountId, _upload.Id)}{index:d5}-{write:d8}";
}
