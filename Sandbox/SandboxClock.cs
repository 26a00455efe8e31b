namespace Flurrty.Sandbox;

/// <summary>The system's clock, which can be put forward.</summary>
internal sealed class SandboxClock : TimeProvider
{
    private long _ahead;

    public TimeSpan Ahead => TimeSpan.FromTicks(Interlocked.Read(ref _ahead));

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Ahead;

    public void Advance(TimeSpan by) => Interlocked.Add(ref _ahead, by.Ticks);
}
