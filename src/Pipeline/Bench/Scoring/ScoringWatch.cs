using System.Diagnostics;

namespace Rlhf.Pipeline.Bench;

/// <summary>Tokens and seconds of one way of scoring, over its turns.</summary>
internal sealed class ScoringWatch
{
    private long _tokens;
    private double _processor;

    public double Seconds { get; private set; }

    public double Rate => _tokens / Seconds;

    /// <summary>Tokens a second of processor time, which other programs on the machine disturb less.</summary>
    public double ProcessorRate => _tokens / _processor;

    public void Time(Func<long> work)
    {
        long start = Stopwatch.GetTimestamp();
        TimeSpan processor = Environment.CpuUsage.TotalTime;
        _tokens += work();
        _processor += (Environment.CpuUsage.TotalTime - processor).TotalSeconds;
        Seconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
