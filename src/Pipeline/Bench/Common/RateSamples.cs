using System.Diagnostics;

namespace Rlhf.Pipeline.Bench;

/// <summary>Tokens a second of each repetition; the first (−1) warms up and does not count.</summary>
public sealed class RateSamples
{
    private readonly List<double> _rates = [];
    private readonly List<double> _processor = []; // ms a token

    /// <summary>Of the last repetition, warming up included.</summary>
    public double Last { get; private set; }

    public double LastSeconds { get; private set; }

    public double PeakMegabytes { get; private set; }

    public double Median => MedianOf(_rates);

    /// <summary>Processor time a token, all threads.</summary>
    public double CpuMilliseconds => MedianOf(_processor);

    /// <summary>Median of the repetitions' own ratios: those that were measured in the same moment of the machine are held against each other.</summary>
    public double RatioTo(RateSamples other) => MedianOf(_rates.Zip(other._rates, (a, b) => a / b));

    /// <summary>The same of the processor time a token.</summary>
    public double CpuRatioTo(RateSamples other) => MedianOf(_processor.Zip(other._processor, (a, b) => a / b));

    /// <summary>Runs and takes the time.</summary>
    /// <param name="repeat">−1: warms up.</param>
    /// <param name="draw">Returns the number of tokens.</param>
    public void Take(int repeat, Func<long> draw)
    {
        // Threads of the engine before stop spinning, so that they do not take from this one.
        Thread.Sleep(100);
        ResidentMemory.ResetPeak();
        TimeSpan before = Environment.CpuUsage.TotalTime;
        long start = Stopwatch.GetTimestamp();
        long tokens = draw();
        LastSeconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        if (repeat >= 0) _processor.Add((Environment.CpuUsage.TotalTime - before).TotalMilliseconds / tokens);
        PeakMegabytes = Math.Max(PeakMegabytes, ResidentMemory.PeakMegabytes());
        Add(repeat, tokens / LastSeconds);
    }

    /// <summary>A rate that was taken elsewhere.</summary>
    public void Add(int repeat, double rate)
    {
        Last = rate;
        if (repeat >= 0) _rates.Add(rate);
    }

    /// <summary>NaN of nothing.</summary>
    public static double MedianOf(IEnumerable<double> values) => values.Order().ToList() is { Count: > 0 } sorted
        ? (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2
        : double.NaN;
}
