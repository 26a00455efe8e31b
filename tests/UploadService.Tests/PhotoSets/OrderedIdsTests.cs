using Flurrty.UploadService.PhotoSets;

namespace Flurrty.UploadService.Tests.PhotoSets;

public sealed class OrderedIdsTests
{
    [Fact]
    public void Ids_OfOneMoment_AreInTheOrderOfTheirMaking()
    {
        var clock = new StandingClock();
        var ids = new OrderedIds(clock);
        var made = Enumerable.Range(0, 100).Select(_ => ids.Next()).ToList();
        clock.Now += TimeSpan.FromMilliseconds(50.5);
        made.AddRange(Enumerable.Range(0, 100).Select(_ => ids.Next()));
        clock.Now += TimeSpan.FromSeconds(1);
        made.Add(ids.Next());
        Assert.Equal(made.Select(static id => id.ToString()).Order(StringComparer.Ordinal), made.Select(static id => id.ToString()));
    }

    private sealed class StandingClock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
