namespace Rlhf.Core.Tests;

/// <summary>A clock that goes only when told.</summary>
internal sealed class ManualClock : TimeProvider
{
    private TimeSpan _now;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;
    public override long GetTimestamp() => _now.Ticks;
    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddSeconds(1_700_000_000) + _now;
    public void Advance(double seconds) => _now += TimeSpan.FromSeconds(seconds);
}
