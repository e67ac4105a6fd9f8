namespace Rlhf.Core.Tests;

/// <summary>A clock that goes only when told.</summary>
internal sealed class ManualClock : TimeProvider
{
    private readonly List<ManualTimer> _timers = [];
    private TimeSpan _now;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;
    public override long GetTimestamp() => _now.Ticks;
    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddSeconds(1_700_000_000) + _now;

    public void Advance(double seconds)
    {
        _now += TimeSpan.FromSeconds(seconds);
        foreach (ManualTimer timer in _timers.ToArray()) timer.Ring(_now);
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ManualTimer timer = new(() => callback(state), _now + dueTime, period);
        _timers.Add(timer);
        return timer;
    }

    /// <summary>Rings when the clock is told to pass its time; once, however far it is passed.</summary>
    private sealed class ManualTimer(Action ring, TimeSpan due, TimeSpan period) : ITimer
    {
        private TimeSpan? _due = due;

        public void Ring(TimeSpan now)
        {
            if (_due is not { } due || now < due) return;
            while (due <= now) due += period;
            _due = due;
            ring();
        }

        public bool Change(TimeSpan dueTime, TimeSpan period) => throw new NotSupportedException();

        public void Dispose() => _due = null;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
