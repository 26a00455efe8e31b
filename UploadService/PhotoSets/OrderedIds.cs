namespace Flurrty.UploadService.PhotoSets;

/// <summary>Ids whose order is that of their making: ids of one millisecond would be in no order. For one caller at a time.</summary>
internal sealed class OrderedIds(TimeProvider time)
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(1);

    private DateTimeOffset _latest;

    public static IReadOnlyList<Guid> Make(TimeProvider time, int count)
    {
        var ids = new OrderedIds(time);
        return [.. Enumerable.Range(0, count).Select(_ => ids.Next())];
    }

    public Guid Next()
    {
        var (now, soonest) = (time.GetUtcNow(), _latest + Step);
        _latest = now > soonest ? now : soonest;
        return Guid.CreateVersion7(_latest);
    }
}
