using Microsoft.Extensions.Options;

namespace Flurrty.UploadService.PhotoSets;

/// <summary>Bounds the photos that this process holds in memory at a time, whichever way they came.</summary>
internal sealed class PhotoSlots(IOptions<PhotoUploadOptions> options) : IDisposable
{
    private readonly SemaphoreSlim _slots = new(options.Value.ConcurrentPhotos);

    public Task WaitAsync(CancellationToken cancellationToken) => _slots.WaitAsync(cancellationToken);

    public void Release() => _ = _slots.Release();

    public void Dispose() => _slots.Dispose();
}
