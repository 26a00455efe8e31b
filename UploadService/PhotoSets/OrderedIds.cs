namespace Flurrty.UploadService.PhotoSets;

/// <summary>Ids whose order is that of their making: ids of one millisecond would be in no order.</summary>
internal static class OrderedIds
{
    public static IReadOnlyList<Guid> Make(TimeProvider time, int count)
    {
        var now = time.GetUtcNow();
        return [.. Enumerable.Range(0, count).Select(index => Guid.CreateVersion7(now.AddMilliseconds(index)))];
    }
}
